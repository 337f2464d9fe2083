package samesight.app

import android.graphics.ImageFormat
import android.hardware.DataSpace
import android.media.Image
import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertSame
import kotlin.test.assertTrue
import org.junit.Test
import samesight.contract.Layout
import samesight.contract.Matrix
import samesight.contract.Orientation
import samesight.contract.Range
import samesight.contract.UPRIGHT
import samesight.contract.yuv420FromBytes
import samesight.contract.yuv420ToRgb

private class FakePlane(
    private val bytes: ByteBuffer,
    private val row: Int,
    private val pixel: Int,
) : Image.Plane() {
    override fun getRowStride() = row

    override fun getPixelStride() = pixel

    override fun getBuffer() = bytes
}

private class FakeImage(
    private val across: Int,
    private val down: Int,
    private val parts: List<Image.Plane>,
) : Image() {
    override fun getFormat() = ImageFormat.YUV_420_888

    override fun getWidth() = across

    override fun getHeight() = down

    override fun getTimestamp() = 0L

    override fun getTransform() = 0

    override fun getScalingMode() = 0

    override fun getPlanes() = parts.toTypedArray()

    override fun close() = Unit

    fun rewind() = parts.forEach { it.buffer.rewind() }
}

class FramesTest {
    @Test
    fun `colours are what the image says, and a camera's where it says nothing`() {
        assertEquals(Matrix.BT601 to Range.FULL, colours(DataSpace.DATASPACE_UNKNOWN))
        assertEquals(Matrix.BT601 to Range.FULL, colours(DataSpace.DATASPACE_JFIF))
        assertEquals(Matrix.BT601 to Range.VIDEO, colours(DataSpace.DATASPACE_BT601_625))
        assertEquals(Matrix.BT601 to Range.VIDEO, colours(DataSpace.DATASPACE_BT601_525))
        assertEquals(Matrix.BT709 to Range.VIDEO, colours(DataSpace.DATASPACE_BT709))
        assertEquals(
            Matrix.BT709 to Range.FULL,
            colours(DataSpace.pack(DataSpace.STANDARD_BT709, DataSpace.TRANSFER_SMPTE_170M, DataSpace.RANGE_FULL)),
        )
    }

    @Test
    fun `the size nearest to the one wanted`() {
        val sizes = listOf(4000 to 3000, 1280 to 720, 640 to 360, 720 to 480, 320 to 240)
        assertEquals(720 to 480, nearest(sizes, 640, 480))
        assertEquals(640 to 480, nearest(sizes + (640 to 480), 640, 480))
        assertEquals(1 to 3, nearest(listOf(3 to 3, 1 to 3), 2, 3))
    }

    @Test
    fun `an image of a camera, with padded rows and u and v in turn, is the frame it shows`() {
        val (width, height, stride) = Triple(4, 4, 6)
        val tight = ByteArray(24) { (it * 37).toByte() }
        val luma = ByteBuffer.allocateDirect(stride * 3 + width)
        for (y in 0 until height) for (x in 0 until width) luma.put(y * stride + x, tight[y * width + x])
        // NV21 without padding: v first; each plane ends with its last sample.
        val chroma = ByteBuffer.allocateDirect(8).put(tight, 16, 8)
        val v = chroma.duplicate().apply { position(0).limit(7) }.slice()
        val u = chroma.duplicate().apply { position(1).limit(8) }.slice()
        val image = FakeImage(width, height, listOf(FakePlane(luma, stride, 1), FakePlane(u, 4, 2), FakePlane(v, 4, 2)))
        val expected = yuv420ToRgb(yuv420FromBytes(tight, width, height, Layout.NV21))
        val buffer = FrameBuffer(0)
        repeat(2) {
            image.rewind()
            buffer.copy(image, Matrix.BT709 to Range.VIDEO, Orientation(1), true)
            assertContentEquals(expected, yuv420ToRgb(buffer.frame.yuv))
        }
        val first = buffer.frame
        assertEquals(listOf(Matrix.BT709, Range.VIDEO, Orientation(1), true), first.run { listOf(matrix, range, orientation, mirror) })
        image.rewind()
        buffer.copy(image, Matrix.BT709 to Range.VIDEO, Orientation(1), true)
        assertSame(first, buffer.frame)
        image.rewind()
        buffer.copy(image, Matrix.BT709 to Range.VIDEO, Orientation(2), true)
        assertEquals(Orientation(2), buffer.frame.orientation)
        assertSame(first.yuv, buffer.frame.yuv)
        val kept = buffer.frame.copied()
        buffer.frame.yuv.y.data.fill(0)
        assertContentEquals(expected, yuv420ToRgb(kept.yuv))
    }

    @Test
    fun `a plane begins where its buffer stands`() {
        val buffer = ByteBuffer.allocateDirect(6).put(byteArrayOf(9, 1, 2, 3, 4, 5)).apply { position(1) }
        val frame = FrameBuffer(0)
        repeat(3) { frame.copyPlane(it, buffer.duplicate(), rowStride = 4, pixelStride = 2) }
        frame.finish(1, 1, Matrix.BT601, Range.FULL, Orientation(), false)
        val plane = frame.frame.yuv.v
        assertContentEquals(byteArrayOf(1, 2, 3, 4, 5), plane.data)
        assertEquals(4 to 2, plane.rowStride to plane.pixelStride)
    }

    @Test
    fun `frame after frame of one kind is copied into the same place`() {
        val planes = List(3) { ByteBuffer.allocateDirect(160 * 120) }
        val buffer = FrameBuffer(0)
        val perFrame = allocated {
            for (i in planes.indices) {
                planes[i].rewind()
                buffer.copyPlane(i, planes[i], 160, 1)
            }
            buffer.finish(160, 120, Matrix.BT601, Range.FULL, UPRIGHT, false)
        }
        assertTrue(perFrame < 64, "$perFrame bytes per frame")
    }
}

/** Bytes that this thread allocates per call, once everything is warm. */
internal fun allocated(work: () -> Unit): Double {
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val calls = 300
    repeat(calls) { work() }
    val before = threads.currentThreadAllocatedBytes
    repeat(calls) { work() }
    return (threads.currentThreadAllocatedBytes - before).toDouble() / calls
}
