package samesight.app

import android.hardware.DataSpace
import android.media.Image
import android.os.Build
import kotlin.math.abs
import samesight.contract.Matrix
import samesight.contract.Orientation
import samesight.contract.Range

// DataSpace's own masks are hidden, and its functions ask for Android 13.
private const val STANDARD_MASK = 63 shl 16
private const val RANGE_MASK = 7 shl 27

/** Copies an image of the format YUV_420_888; it can be closed afterwards. */
internal fun FrameBuffer.copy(image: Image, colours: Pair<Matrix, Range>, orientation: Orientation, mirror: Boolean) {
    image.planes.forEachIndexed { index, plane -> copyPlane(index, plane.buffer, plane.rowStride, plane.pixelStride) }
    finish(image.width, image.height, colours.first, colours.second, orientation, mirror)
}

/** The colours of an image: since Android 13 it says so itself. */
internal fun colours(image: Image): Pair<Matrix, Range> =
    colours(if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) image.dataSpace else DataSpace.DATASPACE_UNKNOWN)

/** Where nothing is said it is JFIF, as Android's cameras have it: BT.601 from 0 to 255. */
internal fun colours(space: Int): Pair<Matrix, Range> {
    val bt709 = space and STANDARD_MASK == DataSpace.STANDARD_BT709
    val video = space and RANGE_MASK == DataSpace.RANGE_LIMITED
    return (if (bt709) Matrix.BT709 else Matrix.BT601) to (if (video) Range.VIDEO else Range.FULL)
}

/** The size with the least difference of sides, the smaller of two that are as near. */
internal fun nearest(sizes: List<Pair<Int, Int>>, width: Int, height: Int): Pair<Int, Int> =
    sizes.minWith(compareBy({ abs(it.first - width) + abs(it.second - height) }, { it.first * it.second }))
