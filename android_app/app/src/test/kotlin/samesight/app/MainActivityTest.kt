package samesight.app

import android.Manifest
import android.app.Activity
import android.content.ComponentCallbacks2
import android.content.ContentProvider
import android.content.ContentValues
import android.content.Intent
import android.content.pm.PackageManager
import android.content.res.Configuration
import android.database.Cursor
import android.database.MatrixCursor
import android.graphics.Color
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.os.Looper
import android.provider.MediaStore
import android.provider.Settings
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.nio.file.Files
import java.util.Collections
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotSame
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue
import org.junit.After
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowContentResolver
import org.robolectric.util.ReflectionHelpers
import samesight.contract.ComputeUnit
import samesight.contract.SamesightError
import samesight.contract.openBundle
import samesight.ui.Camera as CameraState
import samesight.ui.Event
import samesight.ui.Model
import samesight.ui.SelfTest
import samesight.ui.Source

/** The app with a made-up runtime, camera and assets; all else is as on a device. */
internal class TestApplication : SamesightApplication() {
    val opener = FakeOpener()
    val root: File = Files.createTempDirectory("assets").toFile()
    var viewer: Viewer? = null
    var front: Boolean? = null

    override fun assetFiles(): Assets = FolderAssets(root)

    override fun runtimes(): Runtimes = FakeRuntimes(mapOf("litert" to opener))

    override fun camera(): Camera =
        object : Camera {
            override fun start(viewer: Viewer, front: Boolean) {
                this@TestApplication.viewer = viewer
                this@TestApplication.front = front
            }

            override fun stop() {
                viewer = null
            }
        }
}

/** Calls every file the same, and notes who asks. */
internal class NamingProvider : ContentProvider() {
    val threads = Collections.synchronizedList(mutableListOf<String>())

    override fun query(uri: Uri, columns: Array<String>?, where: String?, args: Array<String>?, order: String?): Cursor {
        threads += Thread.currentThread().name
        return MatrixCursor(columns).apply { addRow(arrayOf("mine.zip")) }
    }

    override fun onCreate() = true

    override fun getType(uri: Uri): String? = null

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, where: String?, args: Array<String>?) = 0

    override fun update(uri: Uri, values: ContentValues?, where: String?, args: Array<String>?) = 0
}

/** Keeps what would be shown. */
internal class TestActivity : MainActivity() {
    val shown = mutableListOf<Moment>()

    override fun content(first: Moment): (Moment) -> Unit {
        shown += first
        return { shown += it }
    }
}

@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class MainActivityTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private val content = shadowOf(app.contentResolver)
    private lateinit var window: ActivityController<TestActivity>
    private val activity get() = window.get()
    private val state get() = activity.shown.last().state

    @Before
    fun install() {
        for (name in listOf("spots", "sums")) writeBundle(File(app.root, "bundles/$name"), name)
    }

    @After
    fun remove() {
        app.root.deleteRecursively()
    }

    private fun launch(allowed: Boolean = true) {
        if (allowed) shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        window = Robolectric.buildActivity(TestActivity::class.java).setup()
        until { state.model is Model.Ready }
    }

    private fun answer(code: Int, vararg results: Int) {
        val asked = if (results.isEmpty()) emptyArray() else arrayOf(Manifest.permission.CAMERA)
        activity.onRequestPermissionsResult(code, asked, results)
        shadowOf(Looper.getMainLooper()).idle()
    }

    /** Asks for [event]'s file and gives [bytes] for it; the intent that asked. */
    private fun choose(event: Event, uri: String, bytes: ByteArray): Intent {
        activity.tell(event)
        val asked = shadowOf(activity).nextStartedActivityForResult
        content.registerInputStreamSupplier(Uri.parse(uri)) { ByteArrayInputStream(bytes) }
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(Uri.parse(uri)))
        return asked.intent
    }

    @Test
    fun `the first start says what the camera is for before the system asks`() {
        launch(allowed = false)
        assertEquals(CameraState.Asked, state.camera)
        assertNull(app.viewer)
        activity.tell(Event.AllowCamera)
        val asked = shadowOf(activity).lastRequestedPermission
        assertEquals(listOf(Manifest.permission.CAMERA), asked.requestedPermissions.toList())
        shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        answer(asked.requestCode, PackageManager.PERMISSION_GRANTED)
        assertEquals(CameraState.On, state.camera)
        assertSame(app.controller, app.viewer)
        app.viewer?.onFrame(frame())
        until { state.seen != null }
    }

    @Test
    fun `a denied camera leaves photos, and the settings can allow it`() {
        launch(allowed = false)
        activity.tell(Event.AllowCamera)
        val code = shadowOf(activity).lastRequestedPermission.requestCode
        answer(code)
        assertEquals(CameraState.Asked, state.camera)
        answer(code, PackageManager.PERMISSION_DENIED)
        assertEquals(CameraState.Denied, state.camera)
        assertNull(app.viewer)
        assertIs<Model.Ready>(state.model)
        // The system would not ask again.
        activity.tell(Event.AllowCamera)
        val settings = shadowOf(activity).nextStartedActivity
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, settings.action)
        assertEquals("package:${app.packageName}", settings.dataString)
        window.pause()
        shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        window.resume()
        until { state.camera == CameraState.On }
        assertSame(app.controller, app.viewer)
    }

    @Test
    fun `a permission that is taken away meanwhile is seen`() {
        launch()
        window.pause()
        shadowOf(app).denyPermissions(Manifest.permission.CAMERA)
        window.resume()
        until { state.camera == CameraState.Asked }
        assertNull(app.viewer)
    }

    @Test
    fun `the camera runs while it is looked at, and no longer`() {
        launch()
        assertSame(app.controller, app.viewer)
        window.pause()
        assertNull(app.viewer)
        window.resume()
        assertSame(app.controller, app.viewer)
        assertTrue(activity.window.decorView.keepScreenOn)
        activity.tell(Event.ShowSelfTest)
        until { state.testing }
        assertNull(app.viewer)
        assertFalse(activity.window.decorView.keepScreenOn)
        activity.tell(Event.Back)
        until { app.viewer != null }
        window.pause().stop().destroy()
        assertNull(app.viewer)
        assertNull(app.controller.listener)
    }

    @Test
    fun `a device without a camera, and a camera that fails`() {
        launch()
        app.controller.onNoCamera()
        until { state.camera == CameraState.Absent }
        assertNull(app.viewer)
        window.pause().resume()
        until { app.viewer != null }
        app.controller.onCameraProblem("the camera failed")
        until { state.camera == CameraState.Failed("the camera failed") && app.viewer == null }
        activity.tell(Event.RetryCamera)
        until { app.viewer != null }
        assertEquals(CameraState.On, state.camera)
    }

    @Test
    fun `the other camera is started`() {
        launch()
        assertEquals(false, app.front)
        activity.tell(Event.SwitchCamera)
        until { app.front == true }
    }

    @Test
    fun `a file's name is not asked for on the main thread, where its provider would block the screen`() {
        launch()
        val provider = NamingProvider()
        ShadowContentResolver.registerProviderInternal("cloud", provider)
        choose(Event.OpenBundle, "content://cloud/1", "no zip".encodeToByteArray())
        until { state.problem != null }
        assertContains(state.problem.orEmpty(), "mine.zip")
        choose(Event.PickPhoto, "content://cloud/2", "no image".encodeToByteArray())
        until { state.problem.orEmpty().contains("is no image") }
        assertEquals(setOf("loader", "looker"), provider.threads.toSet())
    }

    @Test
    fun `turning the device keeps model, answers and image`() {
        launch()
        app.viewer?.onFrame(frame())
        until { state.seen != null }
        activity.tell(Event.ChooseUnit(ComputeUnit.CPU))
        until { state.model is Model.Ready && state.unit == ComputeUnit.CPU }
        val (before, loads) = app.controller.moment to app.opener.opened.size
        val turned = Configuration(activity.resources.configuration)
        turned.orientation = Configuration.ORIENTATION_LANDSCAPE
        val first = activity
        window.configurationChange(turned)
        assertNotSame(first, activity)
        assertSame(before, activity.shown.first())
        window.recreate()
        assertSame(before.image, activity.shown.last().image)
        assertEquals(loads, app.opener.opened.size)
        assertSame(app.controller, app.viewer)
    }

    @Test
    fun `choices outlive the process`() {
        launch()
        activity.tell(Event.ChooseBundle("sums"))
        activity.tell(Event.ChooseUnit(ComputeUnit.CPU))
        until { state.model is Model.Ready && state.unit == ComputeUnit.CPU }
        val file = app.getSharedPreferences("choices", Activity.MODE_PRIVATE)
        assertEquals(Choices("sums", "sums.fp32", ComputeUnit.CPU), Preferences(file).choices)
        Preferences(file).choices = Choices("sums", "sums.fp32", null)
        assertEquals(Choices("sums", "sums.fp32", null), Preferences(file).choices)
    }

    @Test
    fun `a photo is picked, decoded and answered`() {
        launch()
        val asked = choose(Event.PickPhoto, "content://photos/7", file(intArrayOf(Color.BLACK, Color.WHITE), 2))
        assertEquals(MediaStore.ACTION_PICK_IMAGES, asked.action)
        until { state.seen != null }
        assertEquals(Source.PHOTO, state.source)
        assertNull(app.viewer)
        choose(Event.PickPhoto, "content://photos/8", "no image".encodeToByteArray())
        until { state.problem != null }
        assertContains(state.problem.orEmpty(), "8: is no image")
        until { app.viewer != null }
    }

    @Test
    fun `older systems choose photos among their files`() {
        launch()
        ReflectionHelpers.setStaticField(Build.VERSION::class.java, "SDK_INT", 30)
        activity.tell(Event.PickPhoto)
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, shadowOf(activity).nextStartedActivityForResult.intent.action)
    }

    @Test
    fun `nothing chosen changes nothing`() {
        launch()
        val before = state
        activity.tell(Event.PickPhoto)
        val asked = shadowOf(activity).nextStartedActivityForResult.intent
        shadowOf(activity).receiveResult(asked, Activity.RESULT_CANCELED, null)
        shadowOf(Looper.getMainLooper()).idle()
        assertEquals(before, state)
    }

    @Test
    fun `a packed bundle is opened, a corrupt one is one sentence`() {
        launch()
        choose(Event.OpenBundle, "content://files/broken.zip", "no zip".encodeToByteArray())
        until { state.problem != null }
        assertContains(state.problem.orEmpty(), "broken.zip: damaged or not a packed bundle")
        assertEquals(2, state.bundles.size)
        assertFalse(File(app.filesDir, "opened").list()?.isNotEmpty() ?: false)
        val mine = writeBundle(Files.createTempDirectory("mine").toFile(), "sums", mapOf("mine" to "litert"))
        choose(Event.OpenBundle, "content://files/mine.zip", packed(mine))
        until { state.artifact == "mine" && state.model is Model.Ready }
        assertTrue(state.bundles.single { it.name == "sums" }.opened)
    }

    @Test
    fun `a broken bundle of the app is one sentence at the start`() {
        File(app.root, "bundles/spots/model.json").appendText(" ")
        launch()
        assertContains(state.problem.orEmpty(), "model.json")
        assertEquals(listOf("sums"), state.bundles.map { it.name })
    }

    @Test
    fun `the self-test's results are saved where the person says`() {
        launch()
        activity.tell(Event.ShowSelfTest)
        activity.tell(Event.RunSelfTest)
        until { state.selfTest is SelfTest.Done }
        activity.tell(Event.SaveResults)
        val asked = shadowOf(activity).nextStartedActivityForResult.intent
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, asked.action)
        assertEquals("device-parity.json", asked.getStringExtra(Intent.EXTRA_TITLE))
        val place = Uri.parse("content://files/results")
        val written = ByteArrayOutputStream()
        content.registerOutputStream(place, written)
        shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, Intent().setData(place))
        until { written.size() > 0 && written.toString().trimEnd().endsWith("}") }
        assertContains(written.toString(), "\"artifact\": \"spots.fp32\"")
        until { state.success == "The results are saved as results" }
        activity.tell(Event.Dismiss)
        until { state.success == null }
    }

    @Test
    fun `without an app that chooses files there is a sentence`() {
        launch()
        shadowOf(app).checkActivities(true)
        activity.tell(Event.OpenBundle)
        until { state.problem != null }
        assertContains(state.problem.orEmpty(), "no app that can choose files")
    }

    @Test
    fun `low memory takes the model, and coming back brings it`() {
        launch()
        window.pause().stop()
        app.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
        assertEquals(1, app.opener.inMemory)
        app.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        until { app.opener.inMemory == 0 }
        window.start().resume()
        until { state.model is Model.Ready }
        assertEquals(1, app.opener.inMemory)
    }

    @Test
    fun `the device is named, and a runtime that is missing is a refusal`() {
        val shadow = shadowOf(app.packageManager)
        val info = shadow.getInternalMutablePackageInfo(app.packageName)
        info.versionName = "0.1.0"
        val versions = Bundle().apply { putString("samesight.runtimes", "LiteRT=2.3.0;ExecuTorch=1.5.1") }
        info.applicationInfo?.metaData = versions
        val runtimes = SystemRuntimes(app)
        assertEquals("Android app 0.1.0", runtimes.device.app)
        assertEquals("Android ${Build.VERSION.RELEASE}", runtimes.device.system)
        assertContains(runtimes.device.device, Build.MODEL)
        assertEquals(mapOf("LiteRT" to "2.3.0", "ExecuTorch" to "1.5.1"), runtimes.device.runtimes)
        // Here LiteRT is signatures alone.
        val bundle = openBundle(File(app.root, "bundles/sums"))
        val artifact = bundle.find("sums.fp32")
        val refused = runCatching {
            runtimes.openers.getValue("litert").open(artifact, bundle.path(artifact), ComputeUnit.CPU)
        }.exceptionOrNull()
        assertContains(assertIs<SamesightError>(refused).message, "LiteRT could not be loaded")
    }
}
