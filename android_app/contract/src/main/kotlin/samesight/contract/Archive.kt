package samesight.contract

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.OutputStream
import java.io.RandomAccessFile
import java.util.Locale

private const val MOST_BYTES = Int.MAX_VALUE.toLong()
private const val LONGEST_MANIFEST = 16L shl 20
private const val KIND = 0xf000
private const val REGULAR = 0x8000

/**
 * Unpacks a packed bundle; what its manifest does not vouch for is refused and nothing is left behind.
 *
 * @param archive what `samesight pack` wrote.
 * @param folder takes the bundle; one that is there is replaced.
 * @throws SamesightError not a zip, damaged, a path that leaves the folder, a link, a file that is unlisted or longer
 *     than declared, or a bundle that does not pass its checks.
 */
fun unpackBundle(archive: File, folder: File) {
    if (archive.isDirectory) throw SamesightError("$archive: is a folder, not a packed bundle")
    if (!archive.exists()) throw SamesightError("$archive: no such file; `samesight pack BUNDLE` makes one")
    RandomAccessFile(archive, "r").use { file ->
        val entries = damaged(archive) { zipEntries(file) }
        val declared = declared(manifest(file, entries, archive), archive)
        replacingBundle(folder) { new ->
            for (entry in entries) {
                val path = checked(entry, archive)
                checkLength(entry, declared[path], archive)
                val destination = File(new, path)
                destination.parentFile.mkdirs()
                destination.outputStream().use { copy(entry, file, archive, it) }
            }
        }
    }
}

/** What goes wrong with reading is the archive's fault, with writing the folder's. */
private fun copy(entry: ZipEntry, file: RandomAccessFile, archive: File, into: OutputStream) {
    val buffer = ByteArray(1 shl 16)
    damaged(archive) { entry.open(file) }.use { content ->
        var count = damaged(archive) { content.read(buffer) }
        while (count >= 0) {
            into.write(buffer, 0, count)
            count = damaged(archive) { content.read(buffer) }
        }
    }
}

private fun <T> damaged(archive: File, read: () -> T): T =
    try {
        read()
    } catch (error: IOException) {
        throw SamesightError("$archive: damaged or not a packed bundle (${error.message}); get the file again")
    }

private fun manifest(file: RandomAccessFile, entries: List<ZipEntry>, archive: File): Manifest {
    val entry =
        entries.findLast { it.name == MANIFEST }
            ?: throw SamesightError("$archive: has no $MANIFEST, so it is no packed bundle")
    if (entry.size > LONGEST_MANIFEST) {
        throw SamesightError("$archive: its $MANIFEST is longer than 16 MiB; not a bundle of ours")
    }
    val content = ByteArrayOutputStream()
    copy(entry, file, archive, content)
    return parseManifest(content.toByteArray(), "$archive: $MANIFEST")
}

private fun declared(manifest: Manifest, archive: File): Map<String, Long> {
    val declared = manifest.files.associate { it.path to it.bytes }
    // Each length by itself first: a sum of many could pass the end of 64 bits.
    if (declared.values.any { it > MOST_BYTES } || declared.values.sum() > MOST_BYTES) {
        val most = "%,d".format(Locale.ROOT, MOST_BYTES)
        throw SamesightError("$archive: declares more than $most bytes; not a bundle of ours")
    }
    return declared
}

private fun checked(entry: ZipEntry, archive: File): String {
    val kind = entry.mode and KIND
    if (entry.name.endsWith("/") || kind != 0 && kind != REGULAR) {
        throw SamesightError(
            "$archive: ${entry.name} is a link or a folder entry; a packed bundle has plain files",
        )
    }
    checkRelative(entry.name)?.let { throw SamesightError("$archive: $it; refused") }
    return entry.name
}

private fun checkLength(entry: ZipEntry, declared: Long?, archive: File) {
    val limit = declared ?: if (entry.name == MANIFEST || entry.name == VERDICTS) LONGEST_MANIFEST else -1
    if (entry.size > limit) {
        val what = if (limit < 0) "is not listed in its manifest" else "is longer than its manifest declares"
        throw SamesightError("$archive: ${entry.name} $what; get the file again")
    }
}
