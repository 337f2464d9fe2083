package samesight.app

import android.Manifest
import android.content.pm.PackageManager
import android.provider.Settings
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import samesight.ui.Camera as CameraState
import samesight.ui.Event
import samesight.ui.Lens
import samesight.ui.Model

/** When the camera is asked for, runs and stops. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class MainActivityCameraTest {
    @get:Rule val phone = TestPhone()

    @Test
    fun `the first start says what the camera is for before the system asks`() {
        phone.launch(allowed = false)
        assertEquals(CameraState.Asked, phone.state.camera)
        assertNull(phone.app.viewer)
        phone.activity.onEvent(Event.AllowCamera)
        val asked = shadowOf(phone.activity).lastRequestedPermission
        assertEquals(listOf(Manifest.permission.CAMERA), asked.requestedPermissions.toList())
        shadowOf(phone.app).grantPermissions(Manifest.permission.CAMERA)
        phone.answer(asked.requestCode, PackageManager.PERMISSION_GRANTED)
        assertEquals(CameraState.On, phone.state.camera)
        assertSame(phone.app.controller, phone.app.viewer)
        phone.app.viewer?.onFrame(frame())
        until { phone.state.seen != null }
    }

    @Test
    fun `a denied camera leaves photos, and the settings can allow it`() {
        phone.launch(allowed = false)
        phone.activity.onEvent(Event.AllowCamera)
        val code = shadowOf(phone.activity).lastRequestedPermission.requestCode
        phone.answer(code)
        assertEquals(CameraState.Asked, phone.state.camera)
        phone.answer(code, PackageManager.PERMISSION_DENIED)
        assertEquals(CameraState.Denied, phone.state.camera)
        assertNull(phone.app.viewer)
        assertIs<Model.Ready>(phone.state.model)
        // The system would not ask again.
        phone.activity.onEvent(Event.AllowCamera)
        val settings = shadowOf(phone.activity).nextStartedActivity
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, settings.action)
        assertEquals("package:${phone.app.packageName}", settings.dataString)
        phone.window.pause()
        shadowOf(phone.app).grantPermissions(Manifest.permission.CAMERA)
        phone.window.resume()
        until { phone.state.camera == CameraState.On }
        assertSame(phone.app.controller, phone.app.viewer)
    }

    @Test
    fun `a permission that is taken away meanwhile is seen`() {
        phone.launch()
        phone.window.pause()
        shadowOf(phone.app).denyPermissions(Manifest.permission.CAMERA)
        phone.window.resume()
        until { phone.state.camera == CameraState.Asked }
        assertNull(phone.app.viewer)
    }

    @Test
    fun `the camera runs while it is looked at, and no longer`() {
        phone.launch()
        assertSame(phone.app.controller, phone.app.viewer)
        phone.window.pause()
        assertNull(phone.app.viewer)
        phone.window.resume()
        assertSame(phone.app.controller, phone.app.viewer)
        assertTrue(phone.activity.window.decorView.keepScreenOn)
        phone.activity.onEvent(Event.ShowSelfTest)
        until { phone.state.testing }
        assertNull(phone.app.viewer)
        assertFalse(phone.activity.window.decorView.keepScreenOn)
        phone.activity.onEvent(Event.Back)
        until { phone.app.viewer != null }
        phone.window.pause().stop().destroy()
        assertNull(phone.app.viewer)
        assertNull(phone.app.controller.listener)
    }

    @Test
    fun `a device without a camera, and a camera that fails`() {
        phone.launch()
        phone.app.controller.onNoCamera()
        until { phone.state.camera == CameraState.Absent }
        assertNull(phone.app.viewer)
        phone.window.pause().resume()
        until { phone.app.viewer != null }
        phone.app.controller.onCameraProblem("the camera failed")
        until { phone.state.camera == CameraState.Failed("the camera failed") && phone.app.viewer == null }
        phone.activity.onEvent(Event.RetryCamera)
        until { phone.app.viewer != null }
        assertEquals(CameraState.On, phone.state.camera)
    }

    @Test
    fun `what stands still needs no camera`() {
        phone.launch()
        phone.activity.onEvent(Event.Pause)
        until { phone.state.paused }
        assertSame(phone.app.controller, phone.app.viewer)
        phone.app.viewer?.onFrame(frame())
        until { phone.state.still && phone.app.viewer == null }
        phone.activity.onEvent(Event.Resume)
        until { phone.app.viewer != null }
    }

    @Test
    fun `zoom and torch reach the camera`() {
        phone.launch()
        phone.app.controller.onLens(Lens(torch = true, mostZoom = 8f))
        phone.activity.onEvent(Event.ZoomTo(2f))
        phone.activity.onEvent(Event.Torch(true))
        until { phone.app.zoom == 2f && phone.app.torch }
    }

    @Test
    fun `the other camera is started`() {
        phone.launch()
        assertEquals(false, phone.app.front)
        phone.activity.onEvent(Event.SwitchCamera)
        until { phone.app.front == true }
    }
}
