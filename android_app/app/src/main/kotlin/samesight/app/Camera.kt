package samesight.app

import samesight.contract.Matrix
import samesight.contract.Orientation
import samesight.contract.Range
import samesight.contract.Yuv420
import samesight.ui.Lens

/**
 * One frame of a camera.
 *
 * @property orientation what makes it upright as the device is held now.
 * @property mirror people expect to see it as in a mirror; the network sees the world as it is.
 */
class CameraFrame(
    val yuv: Yuv420,
    val matrix: Matrix,
    val range: Range,
    val orientation: Orientation,
    val mirror: Boolean,
)

/** Who takes a camera's frames; called on any thread. */
interface Viewer {
    /**
     * A buffer for a frame that would be looked at now, to be filled and given to [onFrame] or [drop]; null where none
     * would be: then the frame need not be copied.
     */
    fun buffer(): FrameBuffer?

    /** Takes a filled buffer; prepares the frame on the calling thread. */
    fun onFrame(filled: FrameBuffer)

    /** Takes a buffer that could not be filled. */
    fun drop(unfilled: FrameBuffer)

    /** A camera begins, which can do this. */
    fun onLens(lens: Lens)

    /** The device has no camera. */
    fun onNoCamera()

    /** The camera gives no more frames, with one sentence why; [Camera.stop] and [Camera.start] try again. */
    fun onCameraProblem(sentence: String)
}

/** A source of frames. For the main thread. */
interface Camera {
    /**
     * Begins to give frames; the permission was granted. A second call does nothing without [stop], but for the other
     * side, which takes the place of the first.
     *
     * @param front of the camera that looks at the person, where there is a choice.
     * @param screen is shown the moving image without a detour through this app.
     */
    fun start(viewer: Viewer, front: Boolean, screen: PreviewScreen)

    /** Zooms to [zoom], within [Lens.leastZoom] and [Lens.mostZoom], and lights the torch or puts it out. */
    fun adjust(zoom: Float, torch: Boolean)

    /** Ends it and frees the camera for other apps; a second call does nothing. */
    fun stop()
}
