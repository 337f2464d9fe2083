// The system's own reads the orientation since Android 7; androidx's would be another library for it.
@file:SuppressLint("ExifInterface")

package samesight.app

import android.annotation.SuppressLint
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.media.ExifInterface
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import samesight.contract.Orientation
import samesight.contract.Picture
import samesight.contract.SamesightError
import samesight.contract.fromExif
import samesight.contract.over

private const val LONGEST_SIDE = 4096

// Above what a phone's camera writes; a provider may give without end.
private const val PHOTO_BYTES = 64L shl 20

/**
 * Photos as the contract wants them: stored pixels in sRGB, not premultiplied, and what turns them upright.
 *
 * The contract's exactness begins after this: decoders and colour profiles are the system's.
 */
class SystemPhotos : Photos {
    override fun read(photo: Picked, background: IntArray): Picture {
        val data = bytes(photo)
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(data, 0, data.size, bounds)
        if (bounds.outWidth < 1 || bounds.outHeight < 1) {
            throw SamesightError("${photo.name}: is no image that this device reads; choose a JPEG or a PNG")
        }
        val bitmap = BitmapFactory.decodeByteArray(data, 0, data.size, options(bounds.outWidth, bounds.outHeight))
            ?: throw SamesightError("${photo.name}: is damaged, only its size can be read; choose another")
        try {
            return Picture(rgb(bitmap, background), bitmap.width, bitmap.height, orientation(data))
        } finally {
            bitmap.recycle()
        }
    }

    private fun bytes(photo: Picked): ByteArray =
        try {
            if ((photo.bytes ?: 0) > PHOTO_BYTES) throw tooLarge(photo)
            photo.open().use { read(it, photo) }
        } catch (error: IOException) {
            throw SamesightError("${photo.name}: cannot be read (${error.message}); choose it again")
        } catch (denied: SecurityException) {
            throw SamesightError("${photo.name}: the app may not read it (${denied.message}); choose it again")
        }

    private fun read(from: InputStream, photo: Picked): ByteArray {
        val all = ByteArrayOutputStream()
        val buffer = ByteArray(1 shl 16)
        var count = from.read(buffer)
        while (count >= 0) {
            all.write(buffer, 0, count)
            if (all.size() > PHOTO_BYTES) throw tooLarge(photo)
            count = from.read(buffer)
        }
        return all.toByteArray()
    }

    private fun tooLarge(photo: Picked) =
        SamesightError("${photo.name}: has more than ${PHOTO_BYTES shr 20} MiB; choose a smaller photo")

    private fun options(width: Int, height: Int) =
        BitmapFactory.Options().apply {
            inPreferredConfig = Bitmap.Config.ARGB_8888
            inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
            // A transparent pixel keeps its colour, which the contract lays over the background.
            inPremultiplied = false
            // The system's decoder scales larger photos, by powers of two and in its own way: memory is short on
            // phones, and a server that is given the same file sees slightly other pixels.
            inSampleSize = sampling(width, height)
        }

    private fun orientation(data: ByteArray): Orientation =
        try {
            val exif = ExifInterface(ByteArrayInputStream(data))
            fromExif(exif.getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL))
        } catch (_: IOException) {
            // A format without EXIF is stored as it is seen.
            fromExif(null)
        }
}

/** The power of two that brings both sides down to 4096 pixels at most. */
internal fun sampling(width: Int, height: Int): Int {
    var sampling = 1
    // Decoders round sides up.
    while ((maxOf(width, height) + sampling - 1) / sampling > LONGEST_SIDE) sampling *= 2
    return sampling
}

/** RGB bytes [height, width, 3]; what is transparent lies over [background]. */
internal fun rgb(bitmap: Bitmap, background: IntArray): ByteArray {
    val width = bitmap.width
    val result = ByteArray(3 * width * bitmap.height)
    val row = IntArray(width)
    val rgba = ByteArray(4 * width)
    for (y in 0 until bitmap.height) {
        // Not copyPixelsToBuffer: its order of channels is the machine's.
        bitmap.getPixels(row, 0, width, 0, y, width, 1)
        for (x in 0 until width) {
            rgba[4 * x] = (row[x] shr 16).toByte()
            rgba[4 * x + 1] = (row[x] shr 8).toByte()
            rgba[4 * x + 2] = row[x].toByte()
            rgba[4 * x + 3] = (row[x] ushr 24).toByte()
        }
        over(rgba, background).copyInto(result, 3 * width * y)
    }
    return result
}

/** The pixels as a bitmap of the size, for the screen. */
internal fun bitmap(pixels: Pixels): Bitmap =
    Bitmap.createBitmap(pixels.colours, pixels.width, pixels.height, Bitmap.Config.ARGB_8888)
