package samesight.app

import android.app.Activity
import android.content.Intent
import android.graphics.BitmapFactory
import android.graphics.Color
import android.net.Uri
import android.os.Build
import android.os.Looper
import android.provider.MediaStore
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.nio.file.Files
import kotlin.test.assertContains
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowContentResolver
import org.robolectric.util.ReflectionHelpers
import samesight.ui.Event
import samesight.ui.Model
import samesight.ui.SelfTest
import samesight.ui.Source

/** What a person picks: photos, packed bundles, a place for the results. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class MainActivityFilesTest {
    @get:Rule val phone = TestPhone()

    @Test
    fun `a file's name is not asked for on the main thread, where its provider would block the screen`() {
        phone.launch()
        val provider = NamingProvider()
        ShadowContentResolver.registerProviderInternal("cloud", provider)
        phone.choose(Event.OpenBundle, "content://cloud/1", "no zip".encodeToByteArray())
        until { phone.state.problem != null }
        assertContains(phone.state.problem.orEmpty(), "mine.zip")
        phone.choose(Event.PickPhoto, "content://cloud/2", "no image".encodeToByteArray())
        until { phone.state.problem.orEmpty().contains("is no image") }
        assertEquals(setOf("loader", "analyzer"), provider.threads.toSet())
    }

    @Test
    fun `a photo is picked, decoded and answered`() {
        phone.launch()
        val asked = phone.choose(Event.PickPhoto, "content://photos/7", file(intArrayOf(Color.BLACK, Color.WHITE), 2))
        assertEquals(MediaStore.ACTION_PICK_IMAGES, asked.action)
        until { phone.state.seen != null }
        assertEquals(Source.PHOTO, phone.state.source)
        assertNull(phone.app.viewer)
        phone.choose(Event.PickPhoto, "content://photos/8", "no image".encodeToByteArray())
        until { phone.state.problem != null }
        assertContains(phone.state.problem.orEmpty(), "8: is no image")
        until { phone.app.viewer != null }
    }

    @Test
    fun `older systems choose photos among their files`() {
        phone.launch()
        ReflectionHelpers.setStaticField(Build.VERSION::class.java, "SDK_INT", 30)
        phone.activity.onEvent(Event.PickPhoto)
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, shadowOf(phone.activity).nextStartedActivityForResult.intent.action)
    }

    @Test
    fun `nothing chosen changes nothing`() {
        phone.launch()
        val before = phone.state
        phone.activity.onEvent(Event.PickPhoto)
        val asked = shadowOf(phone.activity).nextStartedActivityForResult.intent
        shadowOf(phone.activity).receiveResult(asked, Activity.RESULT_CANCELED, null)
        shadowOf(Looper.getMainLooper()).idle()
        assertEquals(before, phone.state)
    }

    @Test
    fun `a packed bundle is opened, a corrupt one is one sentence`() {
        phone.launch()
        phone.choose(Event.OpenBundle, "content://files/broken.zip", "no zip".encodeToByteArray())
        until { phone.state.problem != null }
        assertContains(phone.state.problem.orEmpty(), "broken.zip: damaged or not a packed bundle")
        assertEquals(2, phone.state.bundles.size)
        assertFalse(File(phone.app.filesDir, "opened").list()?.isNotEmpty() ?: false)
        val mine = writeBundle(Files.createTempDirectory("mine").toFile(), "sums", mapOf("mine" to "litert"))
        phone.choose(Event.OpenBundle, "content://files/mine.zip", packed(mine))
        until { phone.state.artifact == "mine" && phone.state.model is Model.Ready }
        assertTrue(phone.state.bundles.single { it.name == "sums" }.opened)
    }

    @Test
    fun `the self-test's results are saved where the person says`() {
        phone.launch()
        phone.activity.onEvent(Event.ShowSelfTest)
        phone.activity.onEvent(Event.RunSelfTest)
        until { phone.state.selfTest is SelfTest.Done }
        phone.activity.onEvent(Event.SaveResults)
        val asked = shadowOf(phone.activity).nextStartedActivityForResult.intent
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, asked.action)
        assertEquals("device-parity.json", asked.getStringExtra(Intent.EXTRA_TITLE))
        val place = Uri.parse("content://files/results")
        val written = ByteArrayOutputStream()
        phone.content.registerOutputStream(place, written)
        shadowOf(phone.activity).receiveResult(asked, Activity.RESULT_OK, Intent().setData(place))
        until { written.size() > 0 && written.toString().trimEnd().endsWith("}") }
        assertContains(written.toString(), "\"artifact\": \"spots.fp32\"")
        until { phone.state.success == "The results are saved as results" }
        phone.activity.onEvent(Event.Dismiss)
        until { phone.state.success == null }
    }

    @Test
    fun `a still image is saved as a picture and shared with its answers`() {
        phone.launch()
        phone.activity.onEvent(Event.Share)
        phone.choose(Event.PickPhoto, "content://photos/7", file(intArrayOf(Color.BLACK, Color.WHITE), 2))
        until { phone.state.still }
        phone.activity.onEvent(Event.SavePicture)
        val asked = shadowOf(phone.activity).nextStartedActivityForResult.intent
        assertEquals(Intent.ACTION_CREATE_DOCUMENT to "spots.png", asked.action to asked.getStringExtra(Intent.EXTRA_TITLE))
        val place = Uri.parse("content://files/spots.png")
        val written = ByteArrayOutputStream()
        phone.content.registerOutputStream(place, written)
        shadowOf(phone.activity).receiveResult(asked, Activity.RESULT_OK, Intent().setData(place))
        until { phone.state.success == "The picture is saved as spots.png" }
        val picture = BitmapFactory.decodeByteArray(written.toByteArray(), 0, written.size())
        assertEquals(listOf(Color.BLACK, Color.WHITE), listOf(picture.getPixel(0, 0), picture.getPixel(1, 0)))

        phone.activity.onEvent(Event.Share)
        val sent = sent()
        assertEquals("image/png", sent.type)
        assertContains(sent.getStringExtra(Intent.EXTRA_TEXT).orEmpty(), "spots, spots.fp32, CPU")
        assertContentEquals(written.toByteArray(), shared(sent))
    }

    @Test
    fun `the self-test's results are shared as a file`() {
        phone.launch()
        phone.activity.onEvent(Event.RunSelfTest)
        until { phone.state.selfTest is SelfTest.Done }
        phone.activity.onEvent(Event.ShareResults)
        val sent = sent()
        assertEquals("application/json", sent.type)
        assertEquals(phone.app.controller.results, shared(sent).decodeToString())
    }

    /** What was given to the system's list of apps to share with. */
    private fun sent(): Intent {
        var chooser: Intent? = null
        until { shadowOf(phone.activity).nextStartedActivity?.also { chooser = it }?.action == Intent.ACTION_CHOOSER }
        val sent = checkNotNull(chooser?.getParcelableExtra(Intent.EXTRA_INTENT, Intent::class.java))
        assertEquals(Intent.ACTION_SEND, sent.action)
        assertTrue(sent.flags and Intent.FLAG_GRANT_READ_URI_PERMISSION != 0)
        return sent
    }

    private fun shared(sent: Intent): ByteArray {
        val uri = checkNotNull(sent.getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java))
        assertEquals(uri, sent.clipData?.getItemAt(0)?.uri)
        val files = Robolectric.buildContentProvider(SharedFiles::class.java).create().get()
        assertEquals(sent.type, files.getType(uri))
        files.query(uri, null, null, null, null).use {
            it.moveToFirst()
            assertEquals(uri.lastPathSegment, it.getString(0))
        }
        for (other in listOf("content://samesight.app.shared/..%2Fopened", "content://samesight.app.shared/none.png", "content://a/b/c")) {
            assertFailsWith<FileNotFoundException> { files.openFile(Uri.parse(other), "r") }
        }
        assertFailsWith<FileNotFoundException> { files.openFile(uri, "rw") }
        // Robolectric cannot close one on this Java.
        return FileInputStream(files.openFile(uri, "r").fileDescriptor).readBytes()
    }

    @Test
    fun `without an app that chooses files there is a sentence`() {
        phone.launch()
        shadowOf(phone.app).checkActivities(true)
        phone.activity.onEvent(Event.OpenBundle)
        until { phone.state.problem != null }
        assertContains(phone.state.problem.orEmpty(), "no app that can choose files")
    }
}
