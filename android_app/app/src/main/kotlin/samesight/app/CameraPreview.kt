package samesight.app

import android.view.Surface
import android.view.SurfaceHolder
import android.view.SurfaceView

/** Where a camera's moving image is shown: a surface that comes and goes. For the main thread. */
interface PreviewScreen {
    /**
     * Asks for a surface of this size in pixels.
     *
     * @param onSurface gets it as soon as it is there, which may be at once, and null when it goes; until [release].
     */
    fun request(width: Int, height: Int, onSurface: (Surface?) -> Unit)

    /** Nobody is told of surfaces any more. */
    fun release()
}

/** The surface of whatever view stands on the screen now. */
internal class CameraPreview : PreviewScreen, SurfaceHolder.Callback {
    private var view: SurfaceView? = null
    private var size: Pair<Int, Int>? = null
    private var onSurface: ((Surface?) -> Unit)? = null

    /** This view is on the screen. */
    fun attach(new: SurfaceView) {
        view = new
        new.holder.addCallback(this)
        size?.let { (width, height) -> new.holder.setFixedSize(width, height) }
    }

    /** It is not any more. */
    fun detach(old: SurfaceView) {
        old.holder.removeCallback(this)
        if (view !== old) return
        view = null
        onSurface?.invoke(null)
    }

    override fun request(width: Int, height: Int, onSurface: (Surface?) -> Unit) {
        size = width to height
        this.onSurface = onSurface
        val holder = view?.holder ?: return
        holder.setFixedSize(width, height)
        val frame = holder.surfaceFrame
        if (holder.surface?.isValid == true && frame.width() == width && frame.height() == height) {
            onSurface(holder.surface)
        }
    }

    override fun release() {
        size = null
        onSurface = null
    }

    override fun surfaceCreated(holder: SurfaceHolder) = Unit

    override fun surfaceChanged(holder: SurfaceHolder, format: Int, width: Int, height: Int) {
        if (width to height == size) onSurface?.invoke(holder.surface)
    }

    override fun surfaceDestroyed(holder: SurfaceHolder) {
        onSurface?.invoke(null)
    }
}
