package samesight.app

import android.Manifest
import android.app.Activity
import android.content.ContentProvider
import android.content.ContentValues
import android.content.Intent
import android.database.Cursor
import android.database.MatrixCursor
import android.graphics.Bitmap
import android.net.Uri
import android.os.Looper
import java.io.ByteArrayInputStream
import java.io.File
import java.nio.file.Files
import java.util.Collections
import org.junit.rules.ExternalResource
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowContentResolver
import samesight.ui.Event
import samesight.ui.Model
import samesight.ui.State

/** The app with a made-up runtime, camera and assets; all else is as on a device. */
internal class TestApplication : SamesightApplication() {
    val opener = FakeOpener()
    val root: File = Files.createTempDirectory("assets").toFile()
    var viewer: Viewer? = null
    var front: Boolean? = null
    var zoom = 1f
    var torch = false

    override fun assetFiles(): Assets = FolderAssets(root)

    override fun runtimes(): Runtimes = FakeRuntimes(mapOf("litert" to opener))

    override fun camera(): Camera =
        object : Camera {
            override fun start(viewer: Viewer, front: Boolean, screen: PreviewScreen) {
                this@TestApplication.viewer = viewer
                this@TestApplication.front = front
            }

            override fun adjust(zoom: Float, torch: Boolean) {
                this@TestApplication.zoom = zoom
                this@TestApplication.torch = torch
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

    /** Compose, which draws the boxes, is not here (see `pictureWithAnswers` in ui). */
    override fun picture(image: Pixels, state: State): Bitmap = bitmap(image)
}

/** The app on a device, as a test's rule: two bundles are in it; [launch] starts it. */
internal class TestPhone : ExternalResource() {
    val app = RuntimeEnvironment.getApplication() as TestApplication
    val content: ShadowContentResolver = shadowOf(app.contentResolver)
    lateinit var window: ActivityController<TestActivity>
    val activity: TestActivity
        get() = window.get()

    val state: State
        get() = activity.shown.last().state

    override fun before() {
        for (name in listOf("spots", "sums")) writeBundle(File(app.root, "bundles/$name"), name)
    }

    override fun after() {
        app.root.deleteRecursively()
    }

    fun launch(allowed: Boolean = true) {
        if (allowed) shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        window = Robolectric.buildActivity(TestActivity::class.java).setup()
        until { state.model is Model.Ready }
    }

    /** What the person, or the system, says to the app's request for the camera. */
    fun answer(code: Int, vararg results: Int) {
        val asked = if (results.isEmpty()) emptyArray() else arrayOf(Manifest.permission.CAMERA)
        activity.onRequestPermissionsResult(code, asked, results)
        shadowOf(Looper.getMainLooper()).idle()
    }

    /** Asks for [event]'s file and gives [bytes] for it; the intent that asked. */
    fun choose(event: Event, uri: String, bytes: ByteArray): Intent {
        activity.onEvent(event)
        val asked = shadowOf(activity).nextStartedActivityForResult
        content.registerInputStreamSupplier(Uri.parse(uri)) { ByteArrayInputStream(bytes) }
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(Uri.parse(uri)))
        return asked.intent
    }
}
