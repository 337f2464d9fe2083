package samesight.app

import java.nio.ByteBuffer
import samesight.contract.Matrix
import samesight.contract.Orientation
import samesight.contract.Plane
import samesight.contract.Range
import samesight.contract.Yuv420

/**
 * Holds one frame after the other; makes nothing anew while their sizes, strides, colours and orientation stay.
 *
 * @property place which of the analyzer's inputs it is prepared in.
 */
class FrameBuffer(internal val place: Int) {
    private val planes = Array(3) { Plane(ByteArray(0), 0, 0) }
    private var yuv = Yuv420(0, 0, planes[0], planes[1], planes[2])

    /** What it holds now. */
    var frame = CameraFrame(yuv, Matrix.BT601, Range.FULL, Orientation(), false)

    /** Who prepared what it holds; null: there was no model. */
    internal var preparedBy: ImageAnalyzer? = null

    /** Copies plane [index], 0 to 2 for y, u and v. */
    fun copyPlane(index: Int, from: ByteBuffer, rowStride: Int, pixelStride: Int) {
        val count = from.remaining()
        val old = planes[index]
        if (old.data.size != count || old.rowStride != rowStride || old.pixelStride != pixelStride) {
            planes[index] = Plane(ByteArray(count), rowStride, pixelStride)
        }
        from.get(planes[index].data)
    }

    /** Makes the three planes the [frame]. */
    fun finish(width: Int, height: Int, matrix: Matrix, range: Range, orientation: Orientation, mirror: Boolean) {
        val (y, u, v) = planes
        val same = yuv.width == width && yuv.height == height && yuv.y === y && yuv.u === u && yuv.v === v
        if (!same) yuv = Yuv420(width, height, y, u, v)
        val old = frame
        val unchanged = same && old.yuv === yuv && old.matrix == matrix && old.range == range
        if (unchanged && old.orientation == orientation && old.mirror == mirror) return
        frame = CameraFrame(yuv, matrix, range, orientation, mirror)
    }
}

/** A frame of its own, which stays while the buffer goes on. */
internal fun CameraFrame.copied(): CameraFrame {
    fun own(plane: Plane) = Plane(plane.data.copyOf(), plane.rowStride, plane.pixelStride, plane.offset)
    val own = Yuv420(yuv.width, yuv.height, own(yuv.y), own(yuv.u), own(yuv.v))
    return CameraFrame(own, matrix, range, orientation, mirror)
}
