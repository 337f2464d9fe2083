package samesight.app

import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import samesight.contract.BUNDLE_BYTES
import samesight.contract.Bundle
import samesight.contract.MANIFEST
import samesight.contract.PublicKey
import samesight.contract.SamesightError
import samesight.contract.checkModel
import samesight.contract.checkNewer
import samesight.contract.checkSignature
import samesight.contract.moveBundle
import samesight.contract.VERDICTS
import samesight.contract.openBundle
import samesight.contract.parseManifest
import samesight.contract.replacingBundle
import samesight.contract.sha256
import samesight.contract.unpackBundle

private const val ASSETS = "bundles"
private const val KEY = "pack-key.der"

// Left to the app and the system beside a bundle.
private const val SPARE_BYTES = 16L shl 20

/** Files that the app was built with; paths with `/`. */
interface Assets {
    /** Names of what is in a folder; empty where there is none. */
    fun list(folder: String): List<String>

    /** @throws FileNotFoundException there is no such file. */
    fun open(path: String): InputStream
}

/**
 * The bundles of this app: what it was built with (`samesight install`), and what a person opened.
 *
 * Runtimes load files, and assets are none: each bundle is copied once, and again when it changes.
 *
 * @param files a folder of the app that lasts.
 * @param cache a folder of the app that may be emptied.
 * @param free bytes that may be written into a folder.
 */
class Bundles(
    private val assets: Assets,
    private val files: File,
    private val cache: File,
    private val free: (File) -> Long = File::getUsableSpace,
) : Shelf {
    private val installed = File(files, "installed")
    private val opened = File(files, "opened")

    override fun all(onProblem: (String) -> Unit): List<Shelved> {
        val copies = assets.list(ASSETS).sorted().mapNotNull { openOrReport(onProblem) { copy("$ASSETS/$it") } }
        val folders = copies.map { it.folder }
        // Of older versions of the app.
        installed.listFiles().orEmpty().filter { it !in folders }.forEach(File::deleteRecursively)
        val taken = folders(opened).mapNotNull { openOrReport(onProblem) { signed(openBundle(it)) } }
        val names = taken.map { it.spec.name }
        return copies.filter { it.spec.name !in names }.map { Shelved(it, false) } + taken.map { Shelved(it, true) }
    }

    private fun openOrReport(onProblem: (String) -> Unit, act: () -> Bundle): Bundle? =
        try {
            act()
        } catch (broken: SamesightError) {
            onProblem(broken.message)
            null
        }

    /** The asset's copy; its folder is called by its content, so that another content is another folder. */
    private fun copy(asset: String): Bundle {
        try {
            val manifest = assets.open("$asset/$MANIFEST").use { it.readBytes() }
            val verdicts =
                try {
                    assets.open("$asset/$VERDICTS").use { it.readBytes() }
                } catch (_: FileNotFoundException) {
                    ByteArray(0)
                }
            val folder = File(installed, sha256(manifest + verdicts))
            if (folder.isDirectory) whole(folder)?.let { return it }
            return replacingBundle(folder) { new ->
                for (entry in parseManifest(manifest, "$asset/$MANIFEST").files) {
                    val file = File(new, entry.path)
                    file.parentFile?.mkdirs()
                    assets.open("$asset/${entry.path}").use { from -> file.outputStream().use { from.copyTo(it) } }
                }
                File(new, MANIFEST).writeBytes(manifest)
                if (verdicts.isNotEmpty()) File(new, VERDICTS).writeBytes(verdicts)
            }
        } catch (error: IOException) {
            throw SamesightError("$asset: cannot be copied out of the app (${error.message}); make room")
        }
    }

    private fun whole(folder: File): Bundle? =
        try {
            openBundle(folder)
        } catch (_: SamesightError) {
            null
        }

    override fun take(packed: Picked): Shelved {
        val archive = File(cache, "picked.zip")
        // Beside the place where it stays, so that it is moved there and not copied.
        val unpacked = File(files, "picked")
        try {
            // The copy, and what is in it: weights are hardly packed.
            packed.bytes?.let { checkSize(it, packed.name, copies = 2) }
            cache.mkdirs()
            packed.open().use { copy(it, archive, packed.name) }
            checkSize(archive.length(), packed.name, copies = 1)
            val bundle = unpackBundle(archive, unpacked)
            archive.delete()
            val name = bundle.spec.name
            val target = File(opened, name)
            key()?.let { checkSigned(unpacked, name, target, it) }
            return Shelved(moveBundle(bundle, target), true)
        } catch (error: IOException) {
            throw SamesightError("${packed.name}: cannot be read (${error.message}); copy it to this device first")
        } catch (denied: SecurityException) {
            throw SamesightError("${packed.name}: the app may not read it (${denied.message}); pick it again")
        } catch (refused: SamesightError) {
            // A person knows the file by its name, not by the place of our copy.
            throw SamesightError(refused.message.replace(archive.path, packed.name).replace(unpacked.path, packed.name))
        } finally {
            archive.delete()
            unpacked.deleteRecursively()
        }
    }

    private fun checkSize(bytes: Long, name: String, copies: Int) {
        if (bytes > BUNDLE_BYTES) throw SamesightError("$name: has more than $BUNDLE_BYTES bytes; not a packed bundle")
        val (needed, room) = copies * bytes + SPARE_BYTES to free(files)
        if (needed > room) {
            throw SamesightError("$name: needs ${megabytes(needed)} MB, and ${megabytes(room)} MB are free; make room")
        }
    }

    private fun megabytes(bytes: Long) = (bytes + 999_999) / 1_000_000

    /** The key that packs have to be signed with; null where the app was built without (`samesight install --key`). */
    private fun key(): PublicKey? {
        val der =
            try {
                assets.open(KEY).use { it.readBytes() }
            } catch (_: FileNotFoundException) {
                return null
            } catch (error: IOException) {
                throw SamesightError("$KEY: cannot be read (${error.message}); build the app anew")
            }
        return PublicKey.of(der, KEY)
    }

    /** A bundle that was opened earlier, if it may still be used. */
    private fun signed(bundle: Bundle): Bundle {
        val name = bundle.spec.name
        key()?.let { checkModel(checkSignature(bundle.folder, name, it), name, name) }
        return bundle
    }

    private fun checkSigned(unpacked: File, name: String, target: File, key: PublicKey) {
        val statement = checkSignature(unpacked, unpacked.path, key)
        checkModel(statement, name, unpacked.path)
        val present =
            try {
                checkSignature(target, target.path, key)
            } catch (_: SamesightError) {
                // None was opened yet, or it is of before the app had a key.
                return
            }
        checkNewer(statement, present, unpacked.path)
    }

    /** A provider may give without end. */
    private fun copy(from: InputStream, archive: File, name: String) {
        val buffer = ByteArray(1 shl 16)
        var left = BUNDLE_BYTES
        archive.outputStream().use { into ->
            var count = from.read(buffer)
            while (count >= 0) {
                left -= count
                if (left < 0) throw SamesightError("$name: has more than $BUNDLE_BYTES bytes; not a packed bundle")
                try {
                    into.write(buffer, 0, count)
                } catch (error: IOException) {
                    throw SamesightError("$name: cannot be kept (${error.message}); make room")
                }
                count = from.read(buffer)
            }
        }
    }

    override fun remove(name: String) {
        // With what an interrupted exchange left, which would be found again.
        val left = listOf("", ".old", ".new").map { File(opened, name + it) }.filterNot { it.deleteRecursively() }
        if (left.isNotEmpty()) throw SamesightError("$name: cannot be removed; restart the device and try again")
    }

    private fun folders(parent: File): List<File> {
        val all = parent.listFiles().orEmpty().filter { it.isDirectory }
        // What an interrupted exchange left is found again under its own name.
        return all.map { File(parent, it.name.removeSuffix(".old").removeSuffix(".new")) }.distinct().sorted()
            .filter { it.isDirectory || File(parent, it.name + ".old").isDirectory }
    }
}
