package samesight.contract

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Bytes that this thread allocates per call, once everything is warm. */
private fun allocated(work: () -> Unit): Double {
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val calls = 200
    repeat(calls) { work() }
    val before = threads.currentThreadAllocatedBytes
    repeat(calls) { work() }
    return (threads.currentThreadAllocatedBytes - before).toDouble() / calls
}

private const val NOISE = 16.0

class AllocationTest {
    @Test
    fun `the measure sees a small array`() {
        var kept = ByteArray(0)
        assertTrue(allocated { kept = ByteArray(64) } > 64, "${kept.size}")
    }

    @Test
    fun `frame after frame allocates nothing`() {
        for (quarters in 0..3) for (framing in listOf(Stretch, Crop(70), Letterbox())) {
            val data = rgbToYuv420(randomImage(Generator(1), 160, 90), 160, 90, Layout.NV21)
            val frame = yuv420FromBytes(data, 160, 90, Layout.NV21)
            val orientation = Orientation(quarters, true)
            val input = input(64, 64, framing)
            val preprocessor = Preprocessor(input)
            val floats = FloatArray(preprocessor.tensor.size)
            val bytes = ByteArray(preprocessor.tensor.size)
            val perFrame = allocated {
                preprocessor.run(frame, Matrix.BT601, Range.FULL, orientation)
                pack(preprocessor.tensor, 3, TensorLayout.INT8_NHWC, bytes)
                pack(preprocessor.tensor, 3, TensorLayout.FLOAT32_NCHW, floats)
                dequantize(bytes, true, 0.5, 3, floats)
            }
            assertTrue(perFrame < NOISE, "$perFrame bytes per frame, $framing, $quarters quarter turns")
        }
    }

    @Test
    fun `nor do helpers, and what they make together is what one makes`() {
        val (width, height) = 400 to 300
        val data = rgbToYuv420(randomImage(Generator(1), width, height), width, height, Layout.NV21)
        val frame = yuv420FromBytes(data, width, height, Layout.NV21)
        for (count in 1..3) Helpers(count).use { helpers ->
            for (quarters in 0..3) for (framing in listOf(Stretch, Crop(70), Letterbox())) {
                val orientation = Orientation(quarters, quarters == 2)
                val alone = Preprocessor(input(64, 64, framing))
                val shared = Preprocessor(input(64, 64, framing), helpers)
                alone.run(frame, Matrix.BT601, Range.FULL, orientation)
                val perFrame = allocated { shared.run(frame, Matrix.BT601, Range.FULL, orientation) }
                assertTrue(perFrame < NOISE, "$perFrame bytes per frame, $count helpers")
                assertContentEquals(alone.tensor, shared.tensor, "$count helpers, $framing, $quarters")
            }
        }
    }

    @Test
    fun `a part that fails is told when all are done`() {
        Helpers(2).use { helpers ->
            val done = java.util.concurrent.atomic.AtomicInteger()
            val failed = assertFailsWith<IllegalStateException> {
                helpers.share { part -> if (part == 1) error("part 1") else done.incrementAndGet() }
            }
            assertEquals("part 1" to 2, failed.message to done.get())
            helpers.share { done.incrementAndGet() }
            assertEquals(5, done.get())
        }
    }

    /** The answers themselves are new, and little else. */
    @Test
    fun `reading an image's answers allocates what it gives`() {
        val spec = detector(Activation.SIGMOID)
        val positions = positionCount(BoxCoding(Coding.DISTANCES, strides = listOf(4)), spec.input)
        val generator = Generator(5)
        val outputs = mapOf(
            Role.LOGITS to Tensor(listOf(1, positions, 2), FloatArray(2 * positions) { generator.below(256) / 64f - 2 }),
            Role.BOXES to Tensor(listOf(1, positions, 4), FloatArray(4 * positions) { generator.below(640) / 64f }),
            Role.OBJECTNESS to Tensor(listOf(1, positions, 1), FloatArray(positions) { 1f }),
        )
        val reader = AnswerReader(spec)
        val geometry = geometry(64, 64, UPRIGHT, spec.input)
        val count = reader.read(outputs, geometry).size
        assertTrue(count > 0)
        val perImage = allocated { reader.read(outputs, geometry) }
        assertTrue(perImage < 1500 + 200 * count, "$perImage bytes for $count answers")
    }

    @Test
    fun `detection after detection allocates nothing`() {
        for (activation in Activation.entries) {
            val spec = detector(activation)
            val positions = positionCount(BoxCoding(Coding.DISTANCES, strides = listOf(4)), spec.input)
            val generator = Generator(5)
            val logits = FloatArray(2 * positions) { generator.below(256) / 64f - 2 }
            val boxes = FloatArray(4 * positions) { generator.below(640) / 64f }
            val presence = FloatArray(positions) { 1f }
            val detector = Detector(spec, positions)
            val perImage = allocated { detector.run(logits, boxes, presence) }
            assertTrue(perImage < NOISE, "$perImage bytes per image, $activation")
            assertTrue(detector.run(logits, boxes, presence).count > 0)
        }
    }
}
