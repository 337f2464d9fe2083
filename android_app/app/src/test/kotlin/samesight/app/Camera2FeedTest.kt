package samesight.app

import android.app.Application
import android.graphics.ImageFormat
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.util.Size
import kotlin.test.assertContains
import kotlin.test.assertEquals
import org.junit.After
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowCameraCharacteristics
import org.robolectric.shadows.StreamConfigurationMapBuilder

internal class FakeViewer : Viewer {
    override val free = true
    @Volatile var absent = 0
    val problems = java.util.Collections.synchronizedList(mutableListOf<String>())

    override fun onFrame(frame: CameraFrame) = Unit

    override fun onNoCamera() {
        absent++
    }

    override fun onCameraProblem(sentence: String) {
        problems += sentence
    }
}

@RunWith(RobolectricTestRunner::class)
@Config(application = Application::class)
class Camera2FeedTest {
    private val manager =
        checkNotNull(RuntimeEnvironment.getApplication().getSystemService(CameraManager::class.java))
    private val shadow = shadowOf(manager)
    private val viewer = FakeViewer()
    private val feed = Camera2Feed(manager) { 0 }

    @After
    fun end() = feed.stop()

    private fun add(id: String, facing: Int, vararg sizes: Size) {
        val camera = ShadowCameraCharacteristics.newCameraCharacteristics()
        val map = StreamConfigurationMapBuilder.newBuilder()
        sizes.forEach { map.addOutputSize(ImageFormat.YUV_420_888, it) }
        shadowOf(camera).set(CameraCharacteristics.LENS_FACING, facing)
        shadowOf(camera).set(CameraCharacteristics.SENSOR_ORIENTATION, 90)
        shadowOf(camera).set(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP, map.build())
        shadow.addCamera(id, camera)
    }

    @Test
    fun `a device without a camera says so`() {
        feed.start(viewer)
        assertEquals(1 to emptyList<String>(), viewer.absent to viewer.problems.toList())
    }

    @Test
    fun `a camera without colour frames is none`() {
        add("0", CameraCharacteristics.LENS_FACING_BACK)
        feed.start(viewer)
        assertEquals(1, viewer.absent)
    }

    @Test
    fun `another app that takes the camera is one sentence, and stop and start open it again`() {
        add("1", CameraCharacteristics.LENS_FACING_FRONT, Size(640, 480))
        add("0", CameraCharacteristics.LENS_FACING_BACK, Size(640, 480), Size(1280, 720))
        feed.start(viewer)
        feed.start(viewer)
        until { shadow.triggerDisconnect(); viewer.problems.isNotEmpty() }
        assertContains(viewer.problems.single(), "another app took the camera")
        feed.start(viewer)
        feed.stop()
        feed.stop()
        feed.start(viewer)
        until { shadow.triggerDisconnect(); viewer.problems.size == 2 }
        assertEquals(0, viewer.absent)
    }

    @Test
    fun `after stop nothing is told any more`() {
        add("0", CameraCharacteristics.LENS_FACING_BACK, Size(640, 480))
        feed.start(viewer)
        feed.stop()
        shadow.triggerDisconnect()
        Thread.sleep(50)
        assertEquals(emptyList(), viewer.problems.toList())
    }
}

/** Waits for what other threads and the main one do. */
internal fun until(condition: () -> Boolean) {
    val end = System.nanoTime() + 20_000_000_000
    while (!condition()) {
        check(System.nanoTime() < end) { "waited too long" }
        shadowOf(android.os.Looper.getMainLooper()).idle()
        Thread.sleep(2)
    }
}
