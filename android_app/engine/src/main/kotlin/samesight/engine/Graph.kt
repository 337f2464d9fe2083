package samesight.engine

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import samesight.contract.SamesightError

private const val DISPATCH = "DISPATCH_OP"
private const val CONV_2D = 3
private const val DEPTHWISE_CONV_2D = 4
private const val FULLY_CONNECTED = 9
private const val TRANSPOSE_CONV = 67

/**
 * What a `.tflite` file's own tables say of its main graph.
 *
 * @property isDispatch LiteRT's dispatch is among its operations: compiled ahead of time, and no CPU can run that part.
 * @property operations multiply-accumulates of its convolutions and fully connected layers.
 */
class Graph(val isDispatch: Boolean, val operations: Long)

/**
 * Reads the tables of a `.tflite` file.
 *
 * @throws SamesightError damaged, or no such file.
 */
fun readGraph(file: File): Graph {
    try {
        val data = RandomAccessFile(file, "r").use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length()) }
        data.order(ByteOrder.LITTLE_ENDIAN)
        if (data.limit() < 8 || ByteArray(4) { data.get(4 + it) }.decodeToString() != "TFL3") {
            throw SamesightError("$file: is no TFLite file; copy the whole bundle again")
        }
        return graph(Table(data, data.getInt(0)))
    } catch (_: IndexOutOfBoundsException) {
        throw SamesightError("$file: is damaged; copy the whole bundle again")
    } catch (error: IOException) {
        throw SamesightError("$file: cannot be read (${error.message}); copy the whole bundle again")
    }
}

private fun graph(model: Table): Graph {
    val codes = model.tables(1)
    val main = model.tables(2)[0]
    val shapes = main.tables(0).map { it.numbers(0) }
    val operators = main.tables(3)
    val customs = operators.map { codes[it.number(0)].text(1) }
    return Graph(DISPATCH in customs, operators.sumOf { operations(it, codes[it.number(0)], shapes) })
}

private fun operations(operator: Table, code: Table, shapes: List<IntArray>): Long {
    // Files from before 2020 have the code in the first field only.
    val kind = maxOf(code.number(3), code.byte(0))
    val inputs = operator.numbers(1)
    val weighed =
        when (kind) {
            CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED -> shapes[operator.numbers(2)[0]]
            TRANSPOSE_CONV -> shapes[inputs[2]]
            else -> return 0
        }
    // Every weight is used once per position; the last side counts channels.
    return product(weighed) / maxOf(1, weighed.last()) * product(shapes[inputs[1]])
}

private fun product(shape: IntArray) = shape.fold(1L) { total, side -> total * side }

/** A FlatBuffers table: [at] points to it. */
private class Table(private val data: ByteBuffer, private val at: Int) {
    private fun field(index: Int): Int {
        val offsets = at - data.getInt(at)
        val place = 4 + 2 * index
        if (place >= (data.getShort(offsets).toInt() and 0xffff)) return 0
        val offset = data.getShort(offsets + place).toInt() and 0xffff
        return if (offset == 0) 0 else at + offset
    }

    fun byte(index: Int): Int = field(index).let { if (it == 0) 0 else data.get(it).toInt() }

    fun number(index: Int): Int = field(index).let { if (it == 0) 0 else data.getInt(it) }

    fun text(index: Int): String? {
        val (start, length) = vector(index, 1) ?: return null
        return ByteArray(length) { data.get(start + it) }.decodeToString()
    }

    fun numbers(index: Int): IntArray {
        val (start, length) = vector(index, 4) ?: return IntArray(0)
        return IntArray(length) { data.getInt(start + 4 * it) }
    }

    fun tables(index: Int): List<Table> {
        val (start, length) = vector(index, 4) ?: return emptyList()
        return List(length) { Table(data, start + 4 * it + data.getInt(start + 4 * it)) }
    }

    private fun vector(index: Int, step: Int): Pair<Int, Int>? {
        val field = field(index)
        if (field == 0) return null
        val start = field + data.getInt(field)
        val length = data.getInt(start)
        // Checked before anything of that length is made.
        if (length < 0 || start + 4L + length.toLong() * step > data.limit()) {
            throw IndexOutOfBoundsException("a list leaves the file")
        }
        return start + 4 to length
    }
}
