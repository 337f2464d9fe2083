package samesight.app

import android.app.Application
import android.graphics.Rect
import android.view.Surface
import android.view.SurfaceView
import kotlin.test.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(application = Application::class)
class CameraPreviewTest {
    @Test
    fun `a surface is told when it has the size that was asked for, and when it goes`() {
        val preview = CameraPreview()
        val told = mutableListOf<Surface?>()
        val view = SurfaceView(RuntimeEnvironment.getApplication())
        preview.request(640, 480) { told += it }
        preview.attach(view)
        preview.surfaceChanged(view.holder, 0, 100, 100)
        assertEquals(0, told.size)
        preview.surfaceChanged(view.holder, 0, 640, 480)
        assertEquals(listOf<Surface?>(view.holder.surface), told.toList())
        preview.surfaceDestroyed(view.holder)
        assertEquals(null, told.last())
        preview.surfaceChanged(view.holder, 0, 640, 480)
        // Another view comes before the old one goes, as when the device is turned.
        preview.attach(SurfaceView(RuntimeEnvironment.getApplication()))
        preview.detach(view)
        assertEquals(3, told.size)
        preview.release()
        preview.surfaceChanged(view.holder, 0, 640, 480)
        assertEquals(3, told.size)
    }

    @Test
    fun `a preview has the largest size of the frames' aspect that every camera gives to a screen`() {
        val sizes = listOf(4000 to 3000, 1920 to 1080, 1440 to 1080, 1280 to 960, 640 to 480)
        assertEquals(1440 to 1080, previewSize(sizes, 640, 480))
        assertEquals(1920 to 1080, previewSize(sizes, 1280, 720))
        assertEquals(176 to 144, previewSize(sizes, 176, 144))
    }

    @Test
    fun `before Android 11 zooming is cropping the sensor's middle`() {
        val whole = Rect(8, 4, 4008, 3004)
        assertEquals(whole, cropped(whole, 1f))
        assertEquals(Rect(1008, 754, 3008, 2254), cropped(whole, 2f))
        assertEquals(Rect(1508, 1129, 2508, 1879), cropped(whole, 4f))
    }
}
