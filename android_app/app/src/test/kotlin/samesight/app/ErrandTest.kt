package samesight.app

import android.content.Intent
import android.content.pm.ApplicationInfo
import android.os.Looper
import java.io.File
import java.nio.file.Files
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import samesight.ui.Model
import samesight.ui.SelfTest

/** What a computer asks for by `am start`, and what it reads of it. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class ErrandTest {
    @get:Rule val phone = TestPhone()
    private val folder by lazy { File(phone.app.filesDir, "errands").apply { mkdirs() } }
    private val token = "0123456789abcdef"

    private fun debuggable(yes: Boolean) {
        val info = phone.app.applicationInfo
        val flag = ApplicationInfo.FLAG_DEBUGGABLE
        info.flags = if (yes) info.flags or flag else info.flags and flag.inv()
    }

    private fun intent(token: String = this.token, test: Boolean = true, model: String? = null) =
        Intent(Intent.ACTION_MAIN).putExtra("samesight.errand", token).putExtra("samesight.test", test)
            .putExtra("samesight.model", model)

    private fun said(token: String = this.token): String =
        File(folder, "$token.said").let { if (it.isFile) it.readText() else "" }

    /** Sends the intent to the running app, and waits for the end. */
    private fun send(intent: Intent, token: String = this.token): String {
        phone.window.newIntent(intent)
        until { said(token).substringBefore(' ') in listOf("opened", "tested", "failed") }
        return said(token)
    }

    @Test
    fun `the self-test runs when the app is started for it, and its results lie beside`() {
        debuggable(true)
        phone.window = Robolectric.buildActivity(TestActivity::class.java, intent(model = "sums")).setup()
        until { said().startsWith("tested") }
        assertEquals("tested sums", said())
        val results = File(folder, "$token.json").readText()
        assertEquals(results, phone.app.controller.results)
        assertContains(results, "\"artifact\": \"sums.fp32\"")
        until { phone.state.selfTest is SelfTest.Done }
        assertTrue(phone.state.testing)
        assertEquals("sums", phone.state.bundle)
        assertEquals(setOf("$token.json", "$token.said"), folder.list()?.toSet())
        // The system gives the last intent again to an app that it starts again.
        File(folder, "$token.json").delete()
        phone.window.recreate()
        phone.window.newIntent(intent(model = "sums"))
        settle()
        assertFalse(File(folder, "$token.json").exists())
    }

    @Test
    fun `a pack that came with it is opened, and tested where that is asked for`() {
        debuggable(true)
        phone.launch()
        val mine = writeBundle(Files.createTempDirectory("mine").toFile(), "sums", mapOf("mine" to "litert"))
        File(folder, "$token.zip").writeBytes(packed(mine))
        assertEquals("opened sums", send(intent(test = false)))
        until { phone.state.artifact == "mine" && phone.state.model is Model.Ready }
        val other = "fedcba9876543210"
        File(folder, "$other.zip").writeBytes(packed(mine))
        assertEquals("tested sums", send(intent(other), other))
        assertContains(File(folder, "$other.json").readText(), "\"artifact\": \"mine\"")
        // What the one before left is gone.
        assertEquals(setOf("$other.json", "$other.said", "$other.zip"), folder.list()?.toSet())
    }

    @Test
    fun `what goes wrong is told in one line, and nothing takes the place of results`() {
        debuggable(true)
        phone.launch()
        assertEquals("failed the app has no bundle none; it has spots, sums", send(intent(model = "none")))
        val other = "fedcba9876543210"
        assertEquals("failed no packed bundle came with it", send(intent(other, test = false), other))
        val damaged = "00000000000000aa"
        File(folder, "$damaged.zip").writeText("no zip")
        assertContains(send(intent(damaged), damaged), "failed $damaged.zip: damaged or not a packed bundle")
        val gone = "00000000000000bb"
        phone.app.root.resolve("bundles/spots/golden/000.input").delete()
        File(phone.app.filesDir, "installed").walk().filter { it.name == "000.input" }.forEach { it.delete() }
        val sentence = send(intent(gone, model = "spots"), gone)
        assertContains(sentence, "000.input")
        assertEquals(1, sentence.lines().size)
        assertFalse(File(folder, "$gone.json").exists())
    }

    @Test
    fun `a release takes no errands, and a debug build none of another form`() {
        debuggable(false)
        phone.launch()
        phone.window.newIntent(intent())
        settle()
        assertEquals("", said())
        debuggable(true)
        for (wrong in listOf("../../opened/x", "0123456789ABCDEF", "")) {
            phone.window.newIntent(intent(wrong))
            settle()
        }
        assertEquals(emptyList(), folder.list()?.toList())
        assertFalse(phone.state.testing)
    }

    private fun settle() {
        repeat(5) {
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(20)
        }
    }
}
