package samesight.app

import android.app.Application
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.util.Size
import android.view.Surface
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
import org.robolectric.util.ReflectionHelpers
import samesight.contract.Orientation
import samesight.ui.Lens

internal class FakeViewer : Viewer {
    @Volatile var absent = 0
    val problems = java.util.Collections.synchronizedList(mutableListOf<String>())

    override fun buffer() = FrameBuffer(0)

    override fun onFrame(filled: FrameBuffer) = Unit

    override fun drop(unfilled: FrameBuffer) = Unit

    @Volatile var lens: Lens? = null

    override fun onLens(lens: Lens) {
        this.lens = lens
    }

    override fun onNoCamera() {
        absent++
    }

    override fun onCameraProblem(sentence: String) {
        problems += sentence
    }
}

/** A screen whose surface comes when the test says so. */
internal class FakeScreen : PreviewScreen {
    var size: Pair<Int, Int>? = null
    var onSurface: ((Surface?) -> Unit)? = null

    override fun request(width: Int, height: Int, onSurface: (Surface?) -> Unit) {
        size = width to height
        this.onSurface = onSurface
    }

    override fun release() {
        onSurface = null
    }
}

@RunWith(RobolectricTestRunner::class)
@Config(application = Application::class)
class Camera2FeedTest {
    private val screen = FakeScreen()
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
        feed.start(viewer, front = false, screen)
        assertEquals(1 to emptyList<String>(), viewer.absent to viewer.problems.toList())
    }

    @Test
    fun `a camera without colour frames is none`() {
        add("0", CameraCharacteristics.LENS_FACING_BACK)
        feed.start(viewer, front = false, screen)
        assertEquals(1, viewer.absent)
    }

    @Test
    fun `another app that takes the camera is one sentence, and stop and start open it again`() {
        add("1", CameraCharacteristics.LENS_FACING_FRONT, Size(640, 480))
        add("0", CameraCharacteristics.LENS_FACING_BACK, Size(640, 480), Size(1280, 720))
        feed.start(viewer, front = false, screen)
        feed.start(viewer, front = false, screen)
        until { shadow.triggerDisconnect(); viewer.problems.isNotEmpty() }
        assertContains(viewer.problems.single(), "another app took the camera")
        feed.start(viewer, front = false, screen)
        feed.stop()
        feed.stop()
        feed.start(viewer, front = false, screen)
        until { shadow.triggerDisconnect(); viewer.problems.size == 2 }
        assertEquals(0, viewer.absent)
    }

    @Test
    fun `the side that is asked for is opened, or else the one that there is`() {
        val opened = { ReflectionHelpers.getField<CameraDevice?>(shadow, "lastDevice")?.id }
        add("1", CameraCharacteristics.LENS_FACING_FRONT, Size(640, 480))
        feed.start(viewer, front = false, screen)
        until { opened() == "1" }
        assertEquals(false, viewer.lens?.switchable)
        feed.stop()
        add("0", CameraCharacteristics.LENS_FACING_BACK, Size(640, 480))
        feed.start(viewer, front = false, screen)
        until { opened() == "0" }
        assertEquals(true, viewer.lens?.switchable)
        // Without a stop: the front camera takes its place.
        feed.start(viewer, front = true, screen)
        until { opened() == "1" }
        assertEquals(emptyList(), viewer.problems.toList())
    }

    @Test
    fun `the screen is asked for a surface of the frames' aspect, and the image begins with it`() {
        add("0", CameraCharacteristics.LENS_FACING_BACK, Size(640, 480))
        feed.start(viewer, front = false, screen)
        assertEquals(640 to 480, screen.size)
        assertEquals(3f / 4, viewer.lens?.aspect)
        until { ReflectionHelpers.getField<CameraDevice?>(shadow, "lastDevice") != null }
        val (first, second) = List(2) { Surface(SurfaceTexture(it)) }
        screen.onSurface?.invoke(first)
        feed.adjust(2f, true)
        screen.onSurface?.invoke(null)
        screen.onSurface?.invoke(second)
        Thread.sleep(50)
        feed.stop()
        listOf(first, second).forEach { it.release() }
        assertEquals(null, screen.onSurface)
        assertEquals(emptyList(), viewer.problems.toList())
    }

    @Test
    fun `frames of a front camera turn the other way round`() {
        assertEquals(Orientation(0), SystemLens("1", 270, front = true, 640, 480).orientation(90))
        assertEquals(Orientation(0), SystemLens("0", 90, front = false, 640, 480).orientation(90))
        assertEquals(Orientation(2), SystemLens("1", 90, front = true, 640, 480).orientation(90))
    }

    @Test
    fun `after stop nothing is told any more`() {
        add("0", CameraCharacteristics.LENS_FACING_BACK, Size(640, 480))
        feed.start(viewer, front = false, screen)
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
