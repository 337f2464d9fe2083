package samesight.app

import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.Test
import samesight.contract.Answer
import samesight.contract.Box
import samesight.contract.Layout
import samesight.contract.Matrix
import samesight.contract.Orientation
import samesight.contract.Picture
import samesight.contract.Range
import samesight.contract.UPRIGHT
import samesight.contract.rgbToYuv420
import samesight.contract.yuv420FromBytes

/** A frame whose left half is dark and whose right half is bright. */
internal fun frame(
    orientation: Orientation = UPRIGHT,
    mirror: Boolean = false,
    width: Int = 4,
    height: Int = 2,
): CameraFrame {
    val rgb = ByteArray(3 * width * height) { if (it / 3 % width < width / 2) 20 else 200.toByte() }
    val bytes = rgbToYuv420(rgb, width, height, Layout.NV21, Matrix.BT601, Range.FULL)
    val yuv = yuv420FromBytes(bytes, width, height, Layout.NV21)
    return CameraFrame(yuv, Matrix.BT601, Range.FULL, orientation, mirror)
}

/** As a camera gives it. */
internal fun Viewer.onFrame(frame: CameraFrame) {
    val buffer = buffer() ?: return
    buffer.frame = frame
    onFrame(buffer)
}

/** Whether a frame would be looked at now. */
internal val Viewer.free: Boolean
    get() = buffer()?.also(::drop) != null

private fun levels(pixels: Pixels) = pixels.colours.map { (it shr 16) and 255 }

class ImageAnalyzerTest {
    @Test
    fun `a frame is shown upright, and as in a mirror where people expect one`() {
        assertEquals(listOf(20, 20, 200, 200, 20, 20, 200, 200), levels(shown(frame())))
        assertEquals(listOf(200, 200, 20, 20, 200, 200, 20, 20), levels(shown(frame(mirror = true))))
        val turned = shown(frame(Orientation(1)))
        assertEquals(2 to 4, turned.width to turned.height)
        assertEquals(listOf(20, 20, 20, 20, 200, 200, 200, 200), levels(turned))
        assertEquals(levels(turned), levels(shown(frame(Orientation(1), mirror = true))))
    }

    @Test
    fun `boxes go with the mirror`() {
        val box = Answer("spot", 0, 0.9f, Box(1f, 2f, 4f, 5f))
        assertEquals(listOf(box.copy(box = Box(6f, 2f, 9f, 5f))), mirrored(listOf(box), 10))
        assertEquals(listOf(box), mirrored(mirrored(listOf(box), 10), 10))
        val label = Answer("left", 0, 0.9f)
        assertEquals(listOf(label), mirrored(listOf(label), 10))
    }

    @Test
    fun `of a large photo every n-th pixel is shown, of a small one all`() {
        val pixels = ByteArray(3 * 5 * 3) { (it / 3).toByte() }
        val photo = Picture(pixels, 5, 3, Orientation(1))
        val all = shown(photo, most = 5)
        assertEquals(3 to 5, all.width to all.height)
        assertEquals(photo.upright().toList(), all.colours.flatMap { listOf(it shr 16, it shr 8, it).map(Int::toByte) })
        assertTrue(all.colours.all { it ushr 24 == 255 })
        val some = shown(photo, most = 3)
        assertEquals(2 to 3, some.width to some.height)
        // Stored: 0 2 4 over 10 12 14; a quarter turn clockwise puts the left column on top.
        assertEquals(listOf(10, 0, 12, 2, 14, 4), levels(some))
        assertTrue(maxOf(shown(photo, most = 2).width, shown(photo, most = 2).height) <= 2)
    }
}
