package samesight.contract

import java.math.BigDecimal
import kotlin.math.abs
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** `docs/contract.md`, "Resize", on one line of one channel, written down as plainly as it can be. */
private fun lineByTheText(line: IntArray, scaled: Int, filter: Filter): IntArray =
    IntArray(scaled) { i ->
        val scale = line.size.toDouble() / scaled
        val fscale = if (scale > 1) scale else 1.0
        val support = (if (filter == Filter.BILINEAR) 1.0 else 2.0) * fscale
        val centre = (i + 0.5) * scale
        val start = maxOf((centre - support + 0.5).toInt(), 0)
        val stop = minOf((centre + support + 0.5).toInt(), line.size)
        val weights = (start until stop).map { kernelByTheText((it - centre + 0.5) * (1 / fscale), filter) }
        val total = weights.fold(0.0) { sum, weight -> sum + weight }
        var output = 2097152L
        for ((t, weight) in weights.withIndex()) {
            val share = (if (total != 0.0) weight / total else weight) * 4194304
            output += line[start + t] * (if (share >= 0) share + 0.5 else share - 0.5).toLong()
        }
        (output shr 22).coerceIn(0, 255).toInt()
    }

private fun kernelByTheText(position: Double, filter: Filter): Double {
    val x = abs(position)
    if (filter == Filter.BILINEAR) return if (x < 1) 1 - x else 0.0
    if (x < 1) return ((1.5 * x - 2.5) * x) * x + 1
    return if (x < 2) (((x - 5) * x + 8) * x - 4) * -0.5 else 0.0
}

internal class Plain(val pixels: ByteArray, val width: Int, val height: Int)

/** Both passes over RGB bytes, first across, then down, with whole images between them. */
internal fun resizeByTheText(image: Plain, width: Int, height: Int, filter: Filter): Plain {
    val narrow = ByteArray(3 * width * image.height)
    for (y in 0 until image.height) for (c in 0 until 3) {
        val line = IntArray(image.width) { image.pixels[3 * (y * image.width + it) + c].toInt() and 255 }
        lineByTheText(line, width, filter).forEachIndexed { x, v -> narrow[3 * (y * width + x) + c] = v.toByte() }
    }
    val result = ByteArray(3 * width * height)
    for (x in 0 until width) for (c in 0 until 3) {
        val line = IntArray(image.height) { narrow[3 * (it * width + x) + c].toInt() and 255 }
        lineByTheText(line, height, filter).forEachIndexed { y, v -> result[3 * (y * width + x) + c] = v.toByte() }
    }
    return Plain(result, width, height)
}

class ResizeTest {
    @Test
    fun `weights sum to one within their rounding and never run backwards`() {
        val generator = Generator(1)
        repeat(300) {
            val size = randomSide(generator, 5000)
            val scaled = randomSide(generator, 500)
            val filter = Filter.entries[generator.below(2)]
            val weights = weights(size, scaled, 0, scaled, filter)
            for (i in 0 until scaled) {
                val taps = weights.stops[i] - weights.starts[i]
                val sum = (0 until taps).sumOf { weights.taps[i * weights.stride + it] }
                assertTrue(abs(sum - (1 shl PRECISION_BITS)) <= taps, "$size to $scaled at $i: $sum")
                assertTrue(weights.starts[i] in 0 until weights.stops[i] && weights.stops[i] <= size)
                if (i == 0) continue
                assertTrue(weights.starts[i] >= weights.starts[i - 1] && weights.stops[i] >= weights.stops[i - 1])
            }
        }
    }

    @Test
    fun `a part of the weights is that part of all`() {
        val all = weights(640, 213, 0, 213, Filter.BICUBIC)
        val some = weights(640, 213, 50, 60, Filter.BICUBIC)
        for (i in 0 until 10) {
            assertEquals(all.starts[50 + i], some.starts[i])
            for (t in 0 until some.stops[i] - some.starts[i]) {
                assertEquals(all.taps[(50 + i) * all.stride + t], some.taps[i * some.stride + t])
            }
        }
    }

    @Test
    fun `an unchanged size copies`() {
        for (filter in Filter.entries) {
            val line = IntArray(50) { it * 5 }
            assertContentEquals(line, lineByTheText(line, 50, filter))
            val weights = weights(50, 50, 0, 50, filter)
            for (i in 0 until 50) {
                for (t in 0 until weights.stops[i] - weights.starts[i]) {
                    val expected = if (weights.starts[i] + t == i) 1 shl PRECISION_BITS else 0
                    assertEquals(expected, weights.taps[i * weights.stride + t])
                }
            }
        }
    }

    @Test
    fun `levels are limited to a byte`() {
        for (value in -5000..5000) assertEquals(value.coerceIn(0, 255), clamp(value))
        for (shift in 0..22) for (sign in listOf(-1, 1)) {
            val value = sign * (1 shl shift)
            assertEquals(value.coerceIn(0, 255), clamp(value))
        }
    }

    @Test
    fun `numbers are written as Python writes them`() {
        assertEquals(listOf("1.0", "10000000.0", "0.001", "-2.5"), listOf(1.0, 1e7, 1e-3, -2.5).map(::decimal))
        assertEquals(BigDecimal("0.1"), BigDecimal(decimal(0.1)))
    }
}
