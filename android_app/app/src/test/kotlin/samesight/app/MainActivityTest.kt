package samesight.app

import android.app.Activity
import android.content.ComponentCallbacks2
import android.content.res.Configuration
import android.os.Build
import android.os.Bundle
import java.io.File
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotSame
import kotlin.test.assertSame
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import samesight.contract.ComputeUnit
import samesight.contract.SamesightError
import samesight.contract.openBundle
import samesight.engine.artifactFile
import samesight.ui.Event
import samesight.ui.Model

/** The activity's life: turned, low of memory, started again. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class MainActivityTest {
    @get:Rule val phone = TestPhone()

    @Test
    fun `turning the device keeps model, answers and image`() {
        phone.launch()
        phone.activity.onEvent(Event.ChooseUnit(ComputeUnit.CPU))
        until { phone.state.model is Model.Ready && phone.state.unit == ComputeUnit.CPU }
        phone.activity.onEvent(Event.Pause)
        phone.app.viewer?.onFrame(frame())
        until { phone.state.still }
        val (before, loads) = phone.app.controller.moment to phone.app.opener.opened.size
        val turned = Configuration(phone.activity.resources.configuration)
        turned.orientation = Configuration.ORIENTATION_LANDSCAPE
        val first = phone.activity
        phone.window.configurationChange(turned)
        assertNotSame(first, phone.activity)
        assertSame(before, phone.activity.shown.first())
        phone.window.recreate()
        assertSame(before.image, phone.activity.shown.last().image)
        assertEquals(loads, phone.app.opener.opened.size)
        phone.activity.onEvent(Event.Resume)
        until { phone.app.viewer === phone.app.controller }
    }

    @Test
    fun `choices outlive the process`() {
        phone.launch()
        phone.activity.onEvent(Event.ChooseBundle("sums"))
        phone.activity.onEvent(Event.ChooseUnit(ComputeUnit.CPU))
        until { phone.state.model is Model.Ready && phone.state.unit == ComputeUnit.CPU }
        val file = phone.app.getSharedPreferences("choices", Activity.MODE_PRIVATE)
        assertEquals(Choices("sums", "sums.fp32", ComputeUnit.CPU), Preferences(file).choices)
        Preferences(file).choices = Choices("sums", "sums.fp32", null)
        assertEquals(Choices("sums", "sums.fp32", null), Preferences(file).choices)
    }

    @Test
    fun `a broken bundle of the app is one sentence at the start`() {
        File(phone.app.root, "bundles/spots/model.json").appendText(" ")
        phone.launch()
        assertContains(phone.state.problem.orEmpty(), "model.json")
        assertEquals(listOf("sums"), phone.state.bundles.map { it.name })
    }

    @Test
    fun `low memory takes the model, and coming back brings it`() {
        phone.launch()
        phone.window.pause().stop()
        phone.app.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
        assertEquals(1, phone.app.opener.inMemory)
        phone.app.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        until { phone.app.opener.inMemory == 0 }
        phone.window.start().resume()
        until { phone.state.model is Model.Ready }
        assertEquals(1, phone.app.opener.inMemory)
    }

    @Test
    fun `the device is named, and a runtime that is missing is a refusal`() {
        val shadow = shadowOf(phone.app.packageManager)
        val info = shadow.getInternalMutablePackageInfo(phone.app.packageName)
        info.versionName = "0.1.0"
        val versions = Bundle().apply { putString("samesight.runtimes", "LiteRT=2.3.0;ExecuTorch=1.5.1") }
        info.applicationInfo?.metaData = versions
        val runtimes = SystemRuntimes(phone.app)
        assertEquals("Android app 0.1.0", runtimes.device.app)
        assertEquals("Android ${Build.VERSION.RELEASE}", runtimes.device.system)
        assertContains(runtimes.device.device, Build.MODEL)
        assertEquals(mapOf("LiteRT" to "2.3.0", "ExecuTorch" to "1.5.1"), runtimes.device.runtimes)
        // Here LiteRT is signatures alone.
        val bundle = openBundle(File(phone.app.root, "bundles/sums"))
        val artifact = bundle.find("sums.fp32")
        val refused = runCatching {
            runtimes.openers.getValue("litert").open(artifactFile(bundle, artifact), ComputeUnit.CPU)
        }.exceptionOrNull()
        assertContains(assertIs<SamesightError>(refused).message, "LiteRT could not be loaded")
    }
}
