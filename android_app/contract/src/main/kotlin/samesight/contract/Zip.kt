package samesight.contract

import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater

// A reader of zip files (PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4) that shows what java.util.zip hides: which
// entries are links. Android's own also refuses some names in words that differ from version to version.

private const val END = 0x06054b50
private const val ENTRY = 0x02014b50
private const val LOCAL = 0x04034b50
private const val END_LENGTH = 22
private const val ENTRY_LENGTH = 46
private const val LOCAL_LENGTH = 30
private const val LONGEST_COMMENT = 65_535

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
    private val crc: Long,
    private val packedSize: Long,
    private val offset: Long,
) {
    /**
     * The content.
     *
     * @throws IOException damaged, or longer than [size].
     */
    fun read(file: RandomAccessFile): ByteArray {
        val local = file.part(offset, LOCAL_LENGTH)
        if (local.getInt(0) != LOCAL) throw IOException("no entry where the directory says $name")
        val start = offset + LOCAL_LENGTH + local.short(26) + local.short(28)
        val packed = file.part(start, packedSize.toInt()).array()
        val data =
            when (method) {
                0 -> packed
                8 -> inflated(packed, size.toInt())
                else -> throw IOException("$name is packed with method $method")
            }
        if (data.size.toLong() != size || CRC32().also { it.update(data) }.value != crc) {
            throw IOException("Bad CRC-32 for file ${quoted(name)}")
        }
        return data
    }
}

/**
 * The directory of a zip file, in its order.
 *
 * @throws IOException not a zip file, damaged, or of more than 2 GiB.
 */
internal fun zipEntries(file: RandomAccessFile): List<ZipEntry> {
    val tail = minOf(file.length(), (END_LENGTH + LONGEST_COMMENT).toLong()).toInt()
    val end = file.part(file.length() - tail, tail)
    val at = (tail - END_LENGTH downTo 0).find { end.getInt(it) == END } ?: throw IOException("File is not a zip file")
    val length = end.int(at + 12)
    val start = end.int(at + 16)
    if (length > Int.MAX_VALUE || start + length > file.length()) throw IOException("its directory is cut off")
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
    return entries
}

private fun entry(directory: ByteBuffer, at: Int): ZipEntry {
    val length = directory.short(at + 28)
    if (at + ENTRY_LENGTH + length > directory.limit()) throw IOException("its directory is damaged")
    val packedSize = directory.int(at + 20)
    val size = directory.int(at + 24)
    if (maxOf(packedSize, size) > Int.MAX_VALUE) throw IOException("an entry of more than 2 GiB")
    return ZipEntry(
        name = String(directory.array(), at + ENTRY_LENGTH, length, Charsets.UTF_8),
        mode = directory.short(at + 40),
        size = size,
        method = directory.short(at + 10),
        crc = directory.int(at + 16),
        packedSize = packedSize,
        offset = directory.int(at + 42),
    )
}

private fun inflated(packed: ByteArray, size: Int): ByteArray {
    val inflater = Inflater(true)
    try {
        inflater.setInput(packed)
        // One byte of room more shows content that is longer than declared.
        val result = ByteArray(size + 1)
        var count = 0
        while (!inflater.finished() && count < result.size) {
            val step = inflater.inflate(result, count, result.size - count)
            if (step == 0 && (inflater.needsInput() || inflater.needsDictionary())) break
            count += step
        }
        return result.copyOf(count)
    } catch (error: DataFormatException) {
        throw IOException(error.message)
    } finally {
        inflater.end()
    }
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
