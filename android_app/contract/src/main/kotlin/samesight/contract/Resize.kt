package samesight.contract

import kotlin.math.abs

/** How a pixel of the scaled image is weighed together. */
enum class Filter(internal val reach: Double) { BILINEAR(1.0), BICUBIC(2.0) }

/** Weights are integers of 22 bits after the point: 8 bits of a pixel and 2 of room more fit 32. */
const val PRECISION_BITS = 32 - 8 - 2

internal const val HALF = 1 shl (PRECISION_BITS - 1)

/** A rectangle in whole pixels of the scaled image. */
data class Window(val left: Int, val top: Int, val width: Int, val height: Int)

/**
 * Which source pixels make each scaled pixel of a line, and with what weights.
 *
 * @property starts the first source pixel of scaled pixel i; never falls from one i to the next.
 * @property stops the one after the last; never falls either.
 * @property taps the weights of scaled pixel i, from i * [stride] on.
 */
class Weights(val starts: IntArray, val stops: IntArray, val taps: IntArray, val stride: Int) {
    /** How many scaled pixels there are. */
    val count: Int
        get() = starts.size
}

/**
 * Start, stop and 22-bit integer weights of the source pixels that make each of the scaled pixels first..last - 1.
 *
 * @param size of the source line, in pixels.
 * @param scaled of the whole scaled line, in pixels.
 */
fun weights(size: Int, scaled: Int, first: Int, last: Int, filter: Filter): Weights {
    val scale = size.toDouble() / scaled
    val filterScale = maxOf(scale, 1.0)
    val support = filter.reach * filterScale
    val inverse = 1.0 / filterScale
    val starts = IntArray(last - first)
    val stops = IntArray(last - first)
    for (i in starts.indices) {
        val centre = (first + i + 0.5) * scale
        starts[i] = maxOf((centre - support + 0.5).toInt(), 0)
        stops[i] = minOf((centre + support + 0.5).toInt(), size)
    }
    val stride = starts.indices.maxOf { stops[it] - starts[it] }
    val taps = IntArray(starts.size * stride)
    val real = DoubleArray(stride)
    for (i in starts.indices) {
        val centre = (first + i + 0.5) * scale
        val length = stops[i] - starts[i]
        var total = 0.0
        for (t in 0 until length) {
            real[t] = kernel((starts[i] + t - centre + 0.5) * inverse, filter)
            total += real[t]
        }
        for (t in 0 until length) taps[i * stride + t] = fixed(if (total != 0.0) real[t] / total else real[t])
    }
    return Weights(starts, stops, taps, stride)
}

private fun fixed(weight: Double): Int {
    val scaled = weight * (1 shl PRECISION_BITS)
    return (if (weight < 0) scaled - 0.5 else scaled + 0.5).toInt()
}

private fun kernel(position: Double, filter: Filter): Double {
    val x = abs(position)
    return when {
        filter == Filter.BILINEAR -> if (x < 1.0) 1.0 - x else 0.0
        x < 1.0 -> (1.5 * x - 2.5) * x * x + 1.0
        x < 2.0 -> (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
        else -> 0.0
    }
}

/** The weights of a source line of [size] pixels that is stored the other way round. */
internal fun Weights.reversed(size: Int): Weights {
    val taps = IntArray(taps.size)
    for (i in 0 until count) {
        val length = stops[i] - starts[i]
        for (t in 0 until length) taps[i * stride + t] = this.taps[i * stride + length - 1 - t]
    }
    return Weights(IntArray(count) { size - stops[it] }, IntArray(count) { size - starts[it] }, taps, stride)
}
