package samesight.engine

import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val CONV_2D = 3
private const val CUSTOM = 32

/** A `.tflite` file: LiteRT's dispatch to an NPU, a convolution, or one behind the other. */
internal fun tfliteFile(isDispatch: Boolean, isConvolution: Boolean = !isDispatch): ByteArray {
    val codes = mutableListOf<Map<Int, Any>>()
    if (isDispatch) codes += mapOf(1 to "DISPATCH_OP", 3 to CUSTOM)
    if (isConvolution) codes += mapOf(3 to CONV_2D)
    val tensor = mapOf(0 to intArrayOf(1, 1, 1, 2))
    val operators = codes.indices.map { mapOf(0 to it, 1 to intArrayOf(0, 0), 2 to intArrayOf(0)) }
    return Flat().root(mapOf(1 to codes, 2 to listOf(mapOf(0 to listOf(tensor), 3 to operators))))
}

/** Writes FlatBuffers: a table is a map from its fields' numbers; every part comes after what refers to it. */
private class Flat {
    private val data = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN)

    fun root(table: Map<*, *>): ByteArray {
        data.putInt(0).put("TFL3".encodeToByteArray())
        data.putInt(0, table(table))
        return data.array().copyOf(data.position())
    }

    private fun part(value: Any?): Int =
        when (value) {
            is Map<*, *> -> table(value)
            is List<*> -> vector(value)
            is IntArray -> data.position().also { data.putInt(value.size).also { value.forEach(data::putInt) } }
            is String -> data.position().also { data.putInt(value.length).put(value.encodeToByteArray()).put(0) }
            else -> error("$value")
        }

    private fun table(fields: Map<*, *>): Int {
        val numbers = fields.keys.map { it as Int }.sorted()
        val places = IntArray(numbers.last() + 1)
        numbers.forEachIndexed { index, number -> places[number] = 4 + 4 * index }
        val offsets = data.position()
        data.putShort((4 + 2 * places.size).toShort()).putShort((4 + 4 * numbers.size).toShort())
        places.forEach { data.putShort(it.toShort()) }
        val at = data.position()
        data.putInt(at - offsets)
        repeat(numbers.size) { data.putInt(0) }
        numbers.forEachIndexed { index, number -> fill(at + 4 + 4 * index, fields[number]) }
        return at
    }

    private fun vector(parts: List<*>): Int {
        val at = data.position()
        data.putInt(parts.size)
        repeat(parts.size) { data.putInt(0) }
        parts.forEachIndexed { index, value -> fill(at + 4 + 4 * index, value) }
        return at
    }

    private fun fill(slot: Int, value: Any?) {
        if (value is Int) data.putInt(slot, value) else data.putInt(slot, part(value) - slot)
    }
}
