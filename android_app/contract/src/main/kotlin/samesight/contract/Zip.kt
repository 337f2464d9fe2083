package samesight.contract

import java.io.EOFException
import java.io.IOException
import java.io.InputStream
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32
import java.util.zip.CheckedInputStream
import java.util.zip.Inflater
import java.util.zip.InflaterInputStream
import java.util.zip.ZipException

// A reader of zip files (PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4) that shows what java.util.zip hides: which
// entries are links. Android's own also refuses some names in words that differ from version to version.

private const val END = 0x06054b50
private const val ENTRY = 0x02014b50
private const val LOCAL = 0x04034b50
private const val END_LENGTH = 22
private const val ENTRY_LENGTH = 46
private const val LOCAL_LENGTH = 30
private const val LONGEST_COMMENT = 65_535
private const val ENCRYPTED = 1

/**
 * One entry of a zip file's directory.
 *
 * @property mode Unix file mode, 0 where the writer gave none.
 */
internal class ZipEntry(
    val name: String,
    val mode: Int,
    val size: Long,
    private val method: Int,
    val crc: Long,
    val packedSize: Long,
    val offset: Long,
) {
    /**
     * The content, piece by piece: an artifact may be larger than the memory that an app has.
     *
     * Reading throws [IOException]: damaged, or longer than [size].
     */
    fun open(file: RandomAccessFile): InputStream {
        val local = file.part(offset, LOCAL_LENGTH)
        if (local.getInt(0) != LOCAL) throw IOException("no entry where the directory says $name")
        val start = offset + LOCAL_LENGTH + local.short(26) + local.short(28)
        val packed = Piece(file, start, packedSize)
        return when (method) {
            0 -> Checked(packed, this)
            8 -> Checked(Inflated(packed), this)
            else -> throw IOException("$name is packed with method $method")
        }
    }
}

/** One byte by way of many, so that both count alike. */
private fun InputStream.single(): Int = ByteArray(1).let { if (read(it, 0, 1) < 0) -1 else it[0].toInt() and 255 }

/** [left] bytes of a file from [at] on. */
private class Piece(private val file: RandomAccessFile, private var at: Long, private var left: Long) : InputStream() {
    override fun read(): Int = single()

    override fun read(into: ByteArray, offset: Int, length: Int): Int {
        if (left == 0L) return -1
        file.seek(at)
        val count = file.read(into, offset, minOf(length.toLong(), left).toInt())
        if (count < 0) throw IOException("File is cut off")
        at += count
        left -= count
        return count
    }
}

private class Inflated(packed: InputStream) : InflaterInputStream(packed, Inflater(true)) {
    override fun read(into: ByteArray, offset: Int, length: Int): Int =
        try {
            super.read(into, offset, length)
        } catch (_: ZipException) {
            throw IOException("its packed content is damaged")
        } catch (_: EOFException) {
            throw IOException("its packed content is cut off")
        }

    override fun close() {
        super.close()
        inf.end()
    }
}

/** Content that has the entry's length and checksum, or ends with an [IOException]. */
private class Checked(content: InputStream, private val entry: ZipEntry) : CheckedInputStream(content, CRC32()) {
    private var count = 0L

    override fun read(): Int = single()

    override fun read(into: ByteArray, offset: Int, length: Int): Int {
        val step = super.read(into, offset, length)
        if (step > 0) count += step
        if (count > entry.size || step < 0 && (count != entry.size || checksum.value != entry.crc)) {
            throw IOException("Bad CRC-32 for file ${quoted(entry.name)}")
        }
        return step
    }
}

/**
 * The directory of a zip file, in its order.
 *
 * @throws IOException not a zip file, damaged, of more than 2 GiB, or two entries have a name or bytes in common.
 */
internal fun zipEntries(file: RandomAccessFile): List<ZipEntry> {
    val tail = minOf(file.length(), (END_LENGTH + LONGEST_COMMENT).toLong()).toInt()
    val end = file.part(file.length() - tail, tail)
    val at = (tail - END_LENGTH downTo 0).find { end.getInt(it) == END } ?: throw IOException("File is not a zip file")
    val length = end.int(at + 12)
    val start = end.int(at + 16)
    if (length > ZIP_DIRECTORY_BYTES || start + length > file.length()) throw IOException("its directory is cut off")
    val directory = file.part(start, length.toInt())
    val entries = mutableListOf<ZipEntry>()
    var position = 0
    repeat(end.short(at + 10)) {
        if (position + ENTRY_LENGTH > directory.limit() || directory.getInt(position) != ENTRY) {
            throw IOException("its directory is damaged")
        }
        entries += entry(directory, position)
        position += ENTRY_LENGTH + directory.short(position + 28) + directory.short(position + 30) +
            directory.short(position + 32)
    }
    checkApart(entries, start)
    return entries
}

private fun checkApart(entries: List<ZipEntry>, directory: Long) {
    val names = mutableSetOf<String>()
    entries.find { !names.add(it.name) }?.let { throw IOException("${it.name} is there twice") }
    val ordered = entries.sortedBy { it.offset }
    ordered.forEachIndexed { place, entry ->
        val following = ordered.getOrNull(place + 1)?.offset ?: directory
        if (entry.offset + LOCAL_LENGTH + entry.packedSize > following) {
            throw IOException("${entry.name} shares bytes with what follows")
        }
    }
}

private fun entry(directory: ByteBuffer, at: Int): ZipEntry {
    val length = directory.short(at + 28)
    if (at + ENTRY_LENGTH + length > directory.limit()) throw IOException("its directory is damaged")
    val packedSize = directory.int(at + 20)
    val size = directory.int(at + 24)
    if (maxOf(packedSize, size) > Int.MAX_VALUE) throw IOException("an entry of more than 2 GiB")
    if (directory.short(at + 8) and ENCRYPTED != 0) throw IOException("an entry is encrypted")
    return ZipEntry(
        name = name(directory, at + ENTRY_LENGTH, length),
        mode = directory.short(at + 40),
        size = size,
        method = directory.short(at + 10),
        crc = directory.int(at + 16),
        packedSize = packedSize,
        offset = directory.int(at + 42),
    )
}

private fun name(directory: ByteBuffer, at: Int, length: Int): String =
    try {
        directory.array().decodeToString(at, at + length, throwOnInvalidSequence = true).also {
            if (isUnprintable(it)) throw IOException("a name holds control characters")
        }
    } catch (_: CharacterCodingException) {
        throw IOException("a name is not UTF-8")
    }

private fun RandomAccessFile.part(offset: Long, length: Int): ByteBuffer {
    if (offset < 0 || offset + length > length()) throw IOException("File is cut off")
    val bytes = ByteArray(length)
    seek(offset)
    readFully(bytes)
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
}

private fun ByteBuffer.short(at: Int): Int = getShort(at).toInt() and 0xffff

private fun ByteBuffer.int(at: Int): Long = getInt(at).toLong() and 0xffffffffL
