package samesight.app

import android.annotation.SuppressLint
import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.media.ImageReader
import android.os.Build
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import java.util.concurrent.Executor
import samesight.contract.Matrix
import samesight.contract.Range
import samesight.contract.SamesightError
import samesight.contract.Yuv420

private const val WIDTH = 640
private const val HEIGHT = 480

// One at the viewer, one that waits: acquireLatestImage asks for two at least.
private const val IMAGES = 2

/** What there is to know of a camera before it is opened. */
internal class Lens(val id: String, val sensor: Int, val front: Boolean, val width: Int, val height: Int) {
    fun frame(yuv: Yuv420, colours: Pair<Matrix, Range>, display: Int): CameraFrame =
        CameraFrame(yuv, colours.first, colours.second, cameraOrientation(sensor, display, front), front)
}

/**
 * Camera2: the first camera of the side that is asked for, or else of the other, in frames of about 640 x 480.
 *
 * @param display how far the screen's content is turned now, in degrees (see [cameraOrientation]).
 */
class Camera2Feed(private val manager: CameraManager, private val display: () -> Int) : Camera {
    // The side that was asked for since the last stop.
    private var started: Boolean? = null
    private var run: Run? = null

    override fun start(viewer: Viewer, front: Boolean) {
        if (started == front) return
        stop()
        started = front
        try {
            val lenses = manager.cameraIdList.mapNotNull { lens(it, manager.getCameraCharacteristics(it)) }
            val lens = lenses.find { it.front == front } ?: lenses.firstOrNull() ?: return viewer.onNoCamera()
            viewer.onCameras(both = lenses.any { it.front } && lenses.any { !it.front })
            run = Run(lens, viewer)
            run?.open()
        } catch (problem: Exception) {
            run?.close()
            viewer.onCameraProblem(sentence(problem))
        }
    }

    override fun stop() {
        started = null
        run?.close()
        run = null
    }

    private fun lens(id: String, camera: CameraCharacteristics): Lens? {
        val map = camera.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
        val sizes = map?.getOutputSizes(ImageFormat.YUV_420_888).orEmpty().map { it.width to it.height }
        // Depth sensors and the like have none.
        if (sizes.isEmpty()) return null
        val (width, height) = nearest(sizes, WIDTH, HEIGHT)
        val front = camera.get(CameraCharacteristics.LENS_FACING) == CameraCharacteristics.LENS_FACING_FRONT
        return Lens(id, camera.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0, front, width, height)
    }

    /** From one start to its stop; all that Camera2 calls back comes on a thread of its own. */
    private inner class Run(private val lens: Lens, private val viewer: Viewer) {
        private val thread = HandlerThread("camera").apply { start() }
        private val handler = Handler(thread.looper)
        private val reader = ImageReader.newInstance(lens.width, lens.height, ImageFormat.YUV_420_888, IMAGES)
        private var device: CameraDevice? = null
        private var closed = false

        // MainActivity starts the camera only with the permission; without it, a SecurityException is told.
        @SuppressLint("MissingPermission")
        fun open() {
            reader.setOnImageAvailableListener({ guarded { take(it) } }, handler)
            manager.openCamera(lens.id, Opening(), handler)
        }

        private fun take(reader: ImageReader) {
            // The newest; those before it, which the viewer had no time for, are given back.
            reader.acquireLatestImage()?.use { image ->
                if (!viewer.free) return
                viewer.onFrame(lens.frame(copied(image), colours(image), display()))
            }
        }

        fun close() =
            synchronized(this) {
                closed = true
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

        private inner class Opening : CameraDevice.StateCallback() {
            override fun onOpened(camera: CameraDevice) {
                synchronized(this@Run) { if (closed) camera.close() else device = camera }
                guarded { configure(camera, reader.surface) }
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

        private fun configure(camera: CameraDevice, surface: Surface) {
            val state = Configured(camera, surface)
            if (Build.VERSION.SDK_INT < Build.VERSION_CODES.P) {
                @Suppress("DEPRECATION")
                camera.createCaptureSession(listOf(surface), state, handler)
                return
            }
            val outputs = listOf(OutputConfiguration(surface))
            val executor = Executor { handler.post(it) }
            val kind = SessionConfiguration.SESSION_REGULAR
            camera.createCaptureSession(SessionConfiguration(kind, outputs, executor, state))
        }

        private inner class Configured(
            private val camera: CameraDevice,
            private val surface: Surface,
        ) : CameraCaptureSession.StateCallback() {
            override fun onConfigured(session: CameraCaptureSession) = guarded {
                val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply { addTarget(surface) }
                session.setRepeatingRequest(request.build(), null, handler)
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
