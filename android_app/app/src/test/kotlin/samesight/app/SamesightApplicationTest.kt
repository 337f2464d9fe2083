package samesight.app

import android.Manifest
import android.content.ComponentCallbacks2
import android.content.pm.ApplicationInfo
import android.os.StrictMode
import java.io.File
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import samesight.ui.Camera as CameraState
import samesight.ui.Model

@RunWith(RobolectricTestRunner::class)
class SamesightApplicationTest {
    /** All as on a device that has no camera, with an app that was built without a bundle; LiteRT is signatures alone. */
    @Test
    @Config(application = SamesightApplication::class)
    fun `nothing of the system is replaced`() {
        val app = RuntimeEnvironment.getApplication() as SamesightApplication
        shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        val activity = Robolectric.buildActivity(TestActivity::class.java).setup().get()
        until { activity.shown.last().state.run { model == Model.None && camera == CameraState.Absent } }
        assertEquals(emptyList(), activity.shown.last().state.bundles)
        assertNull(activity.shown.last().state.problem)
    }

    @Test
    @Config(application = TestApplication::class)
    fun `a debug build says where the main thread waits, and a release is let alone`() {
        val app = RuntimeEnvironment.getApplication() as TestApplication
        val (thread, objects) = StrictMode.getThreadPolicy() to StrictMode.getVmPolicy()
        try {
            for ((flags, strict) in listOf(0 to false, ApplicationInfo.FLAG_DEBUGGABLE to true)) {
                StrictMode.setThreadPolicy(StrictMode.ThreadPolicy.LAX)
                app.applicationInfo.flags = flags
                app.onCreate()
                assertEquals(strict, StrictMode.getThreadPolicy().toString() != StrictMode.ThreadPolicy.LAX.toString())
            }
        } finally {
            StrictMode.setThreadPolicy(thread)
            StrictMode.setVmPolicy(objects)
            app.root.deleteRecursively()
        }
    }

    @Test
    @Config(application = TestApplication::class)
    fun `low memory before anything was shown loads nothing`() {
        val app = RuntimeEnvironment.getApplication() as TestApplication
        writeBundle(File(app.root, "bundles/sums"), "sums")
        app.onLowMemory()
        app.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        assertFalse(app.begun.isInitialized())
        app.root.deleteRecursively()
    }

    @Test
    @Config(application = TestApplication::class)
    fun `the instrumented self-test writes what a computer pulls, and fails where a run is wrong`() {
        val app = RuntimeEnvironment.getApplication() as TestApplication
        assertContains(assertFailsWith<AssertionError> { SelfTestOnDevice().everyBundle() }.message.orEmpty(), "install")
        for (name in listOf("spots", "sums")) writeBundle(File(app.root, "bundles/$name"), name)
        SelfTestOnDevice().everyBundle()
        for (name in listOf("spots", "sums")) {
            val results = File(app.getExternalFilesDir(null), "device-parity-$name.json").readText()
            assertContains(results, "\"artifact\": \"$name.fp32\"")
        }
        app.opener.running = { error("a fault") }
        val failed = assertFailsWith<AssertionError> { SelfTestOnDevice().everyBundle() }
        assertContains(failed.message.orEmpty(), "sums.fp32: no unit runs it; a fault")
        app.root.deleteRecursively()
    }
}
