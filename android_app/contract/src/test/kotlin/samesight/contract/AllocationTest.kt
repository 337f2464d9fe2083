package samesight.contract

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import kotlin.test.Test
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
    fun `detection after detection allocates nothing`() {
        for (activation in Activation.entries) {
            val spec = detector(activation)
            val positions = positionCount(listOf(4), spec.input)
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
