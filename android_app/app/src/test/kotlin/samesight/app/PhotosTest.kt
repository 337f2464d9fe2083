package samesight.app

import android.graphics.Bitmap
import android.graphics.Color
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import kotlin.math.abs
import kotlin.test.assertContains
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.GraphicsMode
import samesight.contract.SamesightError
import samesight.contract.UPRIGHT
import samesight.contract.fromExif

private val WHITE = intArrayOf(255, 255, 255)

/** An image file of these colours (0xAARRGGBB), row by row. */
internal fun file(colours: IntArray, width: Int, format: Bitmap.CompressFormat = Bitmap.CompressFormat.PNG): ByteArray {
    val bitmap = Bitmap.createBitmap(width, colours.size / width, Bitmap.Config.ARGB_8888)
    bitmap.isPremultiplied = false
    bitmap.setPixels(colours, 0, width, 0, 0, width, colours.size / width)
    return ByteArrayOutputStream().also { bitmap.compress(format, 100, it) }.toByteArray()
}

/** A JPEG with this EXIF orientation: a segment of one tag after its first two bytes. */
private fun oriented(jpeg: ByteArray, orientation: Int): ByteArray {
    val tag = byteArrayOf(1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation.toByte(), 0, 0)
    val tiff = byteArrayOf(0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1) + tag + ByteArray(4)
    val body = "Exif".encodeToByteArray() + byteArrayOf(0, 0) + tiff
    return jpeg.copyOf(2) + byteArrayOf(-1, -31, 0, (body.size + 2).toByte()) + body + jpeg.copyOfRange(2, jpeg.size)
}

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PhotosTest {
    private val photos = SystemPhotos()

    private fun read(bytes: ByteArray, background: IntArray = WHITE) = photos.read(picked("a.png", bytes), background)

    private fun levels(bytes: ByteArray) = bytes.map { it.toInt() and 255 }

    @Test
    fun `pixels are RGB, row by row`() {
        val picture = read(file(intArrayOf(Color.RED, 0xff010203.toInt(), Color.GREEN, Color.BLUE), 2))
        assertEquals(2 to 2, picture.width to picture.height)
        assertEquals(listOf(255, 0, 0, 1, 2, 3, 0, 255, 0, 0, 0, 255), levels(picture.pixels))
        assertEquals(UPRIGHT, picture.orientation)
    }

    @Test
    fun `what is transparent lies over the background, from its own colour`() {
        // Premultiplied, level 200 at alpha 3 would come back as 170 or 255.
        val colours = intArrayOf(0x03c86432, 0x80ff0000.toInt(), 0x00ffffff)
        val picture = read(file(colours, 3), intArrayOf(10, 20, 30))
        fun over(level: Int, alpha: Int, below: Int) = (level * alpha + below * (255 - alpha) + 127) / 255
        val first = listOf(over(200, 3, 10), over(100, 3, 20), over(50, 3, 30))
        val second = listOf(over(255, 128, 10), over(0, 128, 20), over(0, 128, 30))
        assertEquals(first + second + listOf(10, 20, 30), levels(picture.pixels))
    }

    @Test
    fun `pixels are as stored and every orientation of EXIF is told`() {
        val colours = IntArray(32 * 16) { if (it % 32 < 16) Color.BLACK else Color.WHITE }
        val jpeg = file(colours, 32, Bitmap.CompressFormat.JPEG)
        for (orientation in 1..8) {
            val picture = read(oriented(jpeg, orientation))
            assertEquals(32 to 16, picture.width to picture.height)
            assertEquals(fromExif(orientation), picture.orientation, "$orientation")
            val (left, right) = levels(picture.pixels).let { it[0] to it[3 * 31] }
            assertTrue(left < 10 && abs(right - 255) < 10, "$left $right")
        }
        assertEquals(UPRIGHT, read(jpeg).orientation)
    }

    @Test
    fun `a large photo is read smaller`() {
        assertEquals(listOf(1, 1, 2, 2, 4), listOf(1, 4096, 4097, 8192, 8193).map { sampling(it, 10) })
        assertEquals(4, sampling(10, 12_000))
        val picture = read(file(IntArray(5000 * 2) { Color.GREEN }, 5000))
        assertEquals(2500, picture.width)
        assertEquals(listOf(0, 255, 0), levels(picture.pixels).take(3))
    }

    @Test
    fun `a photo without end is not read to its end`() {
        var given = 0L
        val endless =
            object : InputStream() {
                override fun read() = 0

                override fun read(into: ByteArray, offset: Int, length: Int) = length.also { given += it }
            }
        val refused = assertFailsWith<SamesightError> { photos.read(Picked({ "a.png" }) { endless }, WHITE) }
        assertEquals("a.png: has more than 64 MiB; choose a smaller photo", refused.message)
        assertTrue(given < 70_000_000, "$given")
        val large = Picked({ "a.png" }, { 70_000_000 }) { error("read all the same") }
        assertContains(assertFailsWith<SamesightError> { photos.read(large, WHITE) }.message, "more than 64 MiB")
    }

    @Test
    fun `what is no image is one sentence with the file's name`() {
        val whole = file(IntArray(64) { it * 9999999 }, 8)
        for (bytes in listOf(ByteArray(0), "text".encodeToByteArray(), whole.copyOf(20))) {
            assertContains(assertFailsWith<SamesightError> { read(bytes) }.message, "a.png: is no image")
        }
        val gone = Picked({ "a.png" }) { throw IOException("gone") }
        assertContains(assertFailsWith<SamesightError> { photos.read(gone, WHITE) }.message, "cannot be read (gone)")
        val denied = Picked({ "a.png" }) { throw SecurityException("no grant") }
        assertContains(assertFailsWith<SamesightError> { photos.read(denied, WHITE) }.message, "may not read it")
    }

    @Test
    fun `the screen's bitmap has the pixels`() {
        val shown = bitmap(Pixels(intArrayOf(0xff010203.toInt(), 0xffff0080.toInt()), 2, 1))
        val colours = IntArray(2).also { shown.getPixels(it, 0, 2, 0, 0, 2, 1) }
        assertContentEquals(intArrayOf(0xff010203.toInt(), 0xffff0080.toInt()), colours)
        assertEquals(listOf(1, 2, 3, 255, 0, 128), levels(rgb(shown, WHITE)))
    }
}
