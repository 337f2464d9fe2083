package samesight.contract

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.OutputStream
import java.io.RandomAccessFile

/** Documents of a pack whose lengths its manifest does not know. */
private val UNSIZED = setOf(MANIFEST, VERDICTS, SIGNATURE)
private const val KIND = 0xf000
private const val REGULAR = 0x8000

/**
 * Unpacks a packed bundle; what its manifest does not vouch for is refused and nothing is left behind.
 *
 * @param archive what `samesight pack` wrote.
 * @param folder takes the bundle; one that is there is replaced.
 * @return the bundle, whose files were read once.
 * @throws SamesightError not a zip, damaged, a path that leaves the folder, a link, a file that is unlisted, there twice
 *     or longer than declared, or a bundle that does not pass its checks.
 */
fun unpackBundle(archive: File, folder: File): Bundle {
    if (archive.isDirectory) throw SamesightError("$archive: is a folder, not a packed bundle")
    checkPlain(archive)
    if (!archive.exists()) throw SamesightError("$archive: no such file; `samesight pack BUNDLE` makes one")
    return RandomAccessFile(archive, "r").use { file ->
        val entries = damaged(archive) { zipEntries(file) }
        val manifest = parseManifest(document(file, entries, MANIFEST, archive), "$archive: $MANIFEST")
        checkDeclared(manifest, archive.path)
        val declared = manifest.files.associate { it.path to it.bytes }
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

private fun document(file: RandomAccessFile, entries: List<ZipEntry>, name: String, archive: File): ByteArray {
    val entry =
        entries.find { it.name == name } ?: throw SamesightError("$archive: has no $name, so it is no packed bundle")
    if (entry.size > DOCUMENT_BYTES) {
        throw SamesightError(
            "$archive: its $name has more than ${grouped(DOCUMENT_BYTES)} bytes; not a bundle of ours",
        )
    }
    val content = ByteArrayOutputStream()
    copy(entry, file, archive, content)
    return content.toByteArray()
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
    val limit = declared ?: if (entry.name in UNSIZED) DOCUMENT_BYTES else -1
    if (entry.size > limit) {
        val what = if (limit < 0) "is not listed in its manifest" else "is longer than its manifest declares"
        throw SamesightError("$archive: ${entry.name} $what; get the file again")
    }
}
