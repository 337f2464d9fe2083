package samesight.app

import android.annotation.SuppressLint
import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.media.Image
import android.media.ImageReader
import android.os.Build
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import java.util.concurrent.Executor
import samesight.contract.SamesightError

// One at the viewer, one that waits: acquireLatestImage asks for two at least.
private const val IMAGES = 2

/**
 * Camera2: the first camera of the side that is asked for, or else of the other, in frames of about 640 x 480.
 *
 * @param display how far the screen's content is turned now, in degrees (see [cameraOrientation]).
 */
class Camera2Feed(private val manager: CameraManager, private val display: () -> Int) : Camera {
    // The side that was asked for since the last stop.
    private var started: Boolean? = null
    private var run: Run? = null
    private var zoom = 1f
    private var torch = false

    override fun start(viewer: Viewer, front: Boolean, screen: PreviewScreen) {
        if (started == front) return
        stop()
        started = front
        try {
            val lenses = manager.cameraIdList.mapNotNull { systemLens(it, manager.getCameraCharacteristics(it)) }
            val lens = lenses.find { it.front == front } ?: lenses.firstOrNull() ?: return viewer.onNoCamera()
            viewer.onLens(lens.described(lenses.any { it.front } && lenses.any { !it.front }, display()))
            run = Run(lens, viewer, screen)
            run?.open()
        } catch (problem: Exception) {
            run?.close()
            viewer.onCameraProblem(sentence(problem))
        }
    }

    override fun adjust(zoom: Float, torch: Boolean) {
        if (zoom == this.zoom && torch == this.torch) return
        this.zoom = zoom
        this.torch = torch
        run?.adjust(zoom, torch)
    }

    override fun stop() {
        started = null
        run?.end()
        run = null
    }

    /** From one start to its stop; all that Camera2 calls back comes on a thread of its own. */
    private inner class Run(
        private val lens: SystemLens,
        private val viewer: Viewer,
        private val screen: PreviewScreen,
    ) {
        private val thread = HandlerThread("camera").apply { start() }
        private val handler = Handler(thread.looper)
        private val reader = ImageReader.newInstance(lens.width, lens.height, ImageFormat.YUV_420_888, IMAGES)
        private var wantedZoom = zoom
        private var wantedTorch = torch
        private var device: CameraDevice? = null
        private var surface: Surface? = null
        private var session: CameraCaptureSession? = null
        private var closed = false

        // MainActivity starts the camera only with the permission; without it, a SecurityException is told.
        @SuppressLint("MissingPermission")
        fun open() {
            reader.setOnImageAvailableListener({ guarded { take(it) } }, handler)
            manager.openCamera(lens.id, Opening(), handler)
            screen.request(lens.previewWidth, lens.previewHeight) { guarded { show(it) } }
        }

        private fun take(reader: ImageReader) {
            // The newest; those before it, which the viewer had no time for, are given back.
            val image = reader.acquireLatestImage() ?: return
            val buffer = image.use { viewer.buffer()?.also { fill(it, image) } } ?: return
            viewer.onFrame(buffer)
        }

        private fun fill(buffer: FrameBuffer, image: Image) {
            try {
                buffer.copy(image, colours(image), lens.orientation(display()), lens.front)
            } catch (problem: Throwable) {
                viewer.drop(buffer)
                throw problem
            }
        }

        /** For the main thread. */
        fun end() {
            screen.release()
            close()
        }

        fun close() =
            synchronized(this) {
                closed = true
                session = null
                device?.close()
                device = null
                reader.close()
                thread.quitSafely()
            }

        private fun guarded(act: () -> Unit) {
            synchronized(this) {
                if (closed) return
                try {
                    act()
                } catch (problem: Exception) {
                    fail(sentence(problem))
                }
            }
        }

        private fun fail(sentence: String) {
            close()
            viewer.onCameraProblem(sentence)
        }

        fun adjust(zoom: Float, torch: Boolean) = guarded {
            wantedZoom = zoom
            wantedTorch = torch
            repeatRequest()
        }

        private inner class Opening : CameraDevice.StateCallback() {
            override fun onOpened(camera: CameraDevice) {
                synchronized(this@Run) { if (closed) camera.close() else device = camera }
                guarded { configure() }
            }

            override fun onDisconnected(camera: CameraDevice) {
                camera.close()
                guarded { fail("another app took the camera; close it, then try again") }
            }

            override fun onError(camera: CameraDevice, error: Int) {
                camera.close()
                guarded { fail("the camera failed (error $error); close other apps, or restart the device") }
            }
        }

        private fun show(new: Surface?) {
            if (new === surface && session != null) return
            surface = new
            session?.close()
            session = null
            configure()
        }

        /** Begins when both are there: the camera, and the surface that it shows on. */
        private fun configure() {
            val camera = device ?: return
            val targets = listOf(surface ?: return, reader.surface)
            if (Build.VERSION.SDK_INT < Build.VERSION_CODES.P) {
                @Suppress("DEPRECATION")
                camera.createCaptureSession(targets, Configured(targets), handler)
                return
            }
            val executor = Executor { handler.post(it) }
            val kind = SessionConfiguration.SESSION_REGULAR
            val outputs = targets.map { OutputConfiguration(it) }
            camera.createCaptureSession(SessionConfiguration(kind, outputs, executor, Configured(targets)))
        }

        private fun repeatRequest() {
            val running = session ?: return
            val request = running.device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
            surface?.let(request::addTarget)
            request.addTarget(reader.surface)
            lens.zoom(request, wantedZoom)
            lens.light(request, wantedTorch)
            running.setRepeatingRequest(request.build(), null, handler)
        }

        private inner class Configured(private val targets: List<Surface>) : CameraCaptureSession.StateCallback() {
            override fun onConfigured(session: CameraCaptureSession) = guarded {
                // The surface may have gone, or another have come, meanwhile.
                if (targets.first() !== surface) return@guarded
                this@Run.session = session
                repeatRequest()
            }

            override fun onConfigureFailed(session: CameraCaptureSession) =
                guarded { fail("the camera gives no frames of ${lens.width} x ${lens.height}; choose a photo instead") }
        }
    }
}

private fun sentence(problem: Exception): String =
    when (problem) {
        is SamesightError -> problem.message
        is SecurityException -> "the camera is not allowed any more; allow it in the device's settings"
        is CameraAccessException -> "the camera cannot be used (${problem.message}); close other apps that use it"
        else -> "the camera failed ($problem); close other apps that use it, or restart the device"
    }
