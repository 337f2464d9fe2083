package samesight.app

import android.Manifest
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Intent
import android.content.pm.ApplicationInfo
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.provider.MediaStore
import android.provider.Settings
import androidx.activity.ComponentActivity
import java.io.ByteArrayOutputStream
import java.io.IOException
import kotlin.concurrent.thread
import samesight.contract.DEVICE_PARITY
import samesight.ui.Camera as CameraState
import samesight.ui.Event
import samesight.ui.SelfTest
import samesight.ui.State
import samesight.ui.answersAsText

private const val PNG = "image/png"
private const val JSON = "application/json"
private const val PERMISSION = 1
private const val PHOTO = 2
private const val BUNDLE = 3
private const val RESULTS = 4
private const val PICTURE = 5

/** Asks the system for what the controller cannot: the camera and its permission, photos, files. */
open class MainActivity : ComponentActivity() {
    private val main = Handler(Looper.getMainLooper())
    private val app get() = application as SamesightApplication
    private val controller get() = app.controller
    private var resumed = false
    private var show: (Moment) -> Unit = {}

    /** Where the camera's moving image goes. */
    internal val preview = CameraPreview()

    /** Shows moments from [first] on; tests look at them instead. */
    internal open fun content(first: Moment): (Moment) -> Unit = screen(first, preview, ::onEvent)

    /** The still image with its boxes. */
    internal open fun picture(image: Pixels, state: State): Bitmap = pictureWithAnswers(this, image, state)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        show = content(controller.moment)
        heed(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        heed(intent)
    }

    /** Any app may start this one: what it asks for is done in debug builds alone, which a computer can talk to. */
    private fun heed(intent: Intent?) {
        if (applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE == 0) return
        errandOf(intent, filesDir)?.let(controller::onErrand)
    }

    override fun onStart() {
        super.onStart()
        controller.listener = { main.post { follow() } }
        controller.wake()
    }

    override fun onResume() {
        super.onResume()
        resumed = true
        // The permission may have come or gone in the settings meanwhile; a camera may have been plugged in.
        val camera = controller.moment.state.camera
        if (allowed()) controller.cameraIs(CameraState.On)
        else if (camera == CameraState.On || camera is CameraState.Failed) controller.cameraIs(CameraState.Asked)
        follow()
    }

    override fun onPause() {
        resumed = false
        app.camera.stop()
        super.onPause()
    }

    override fun onStop() {
        controller.listener = null
        super.onStop()
    }

    /** Shows the newest moment, and has the camera run where it asks for images. */
    private fun follow() {
        val moment = controller.moment
        show(moment)
        val state = moment.state
        // What stands still needs no camera; until the last frame is looked at, it does.
        val looked = state.live || state.paused && !state.still
        val needed = resumed && looked && !state.testing
        if (needed) {
            app.camera.adjust(state.zoom, state.torch)
            app.camera.start(controller, state.front, preview)
        } else {
            app.camera.stop()
        }
        window.decorView.keepScreenOn = needed || state.selfTest is SelfTest.Running
    }

    /** What a person asks for. */
    internal fun onEvent(event: Event) =
        when (event) {
            Event.AllowCamera -> allow()
            Event.PickPhoto -> ask(photoRequest(), PHOTO)
            Event.OpenBundle -> ask(document(Intent.ACTION_OPEN_DOCUMENT, "*/*"), BUNDLE)
            Event.SaveResults -> {
                val request = document(Intent.ACTION_CREATE_DOCUMENT, JSON)
                ask(request.putExtra(Intent.EXTRA_TITLE, DEVICE_PARITY), RESULTS)
            }
            Event.SavePicture -> {
                val request = document(Intent.ACTION_CREATE_DOCUMENT, PNG)
                ask(request.putExtra(Intent.EXTRA_TITLE, "${controller.moment.state.bundle}.png"), PICTURE)
            }
            Event.Share -> share()
            Event.ShareResults -> shareResults()
            else -> controller.onEvent(event)
        }

    private fun allowed() = checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    private fun allow() {
        val denied = controller.moment.state.camera == CameraState.Denied
        if (!denied || shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)) {
            requestPermissions(arrayOf(Manifest.permission.CAMERA), PERMISSION)
            return
        }
        // Denied for good: the system asks no more, and only its settings can allow it.
        startActivity(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", packageName, null)))
    }

    @Suppress("OVERRIDE_DEPRECATION")
    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) {
        @Suppress("DEPRECATION")
        super.onRequestPermissionsResult(requestCode, permissions, grantResults)
        // No result at all: the question was interrupted and stays open.
        if (requestCode != PERMISSION || grantResults.isEmpty()) return
        controller.cameraIs(if (allowed()) CameraState.On else CameraState.Denied)
        follow()
    }

    private fun photoRequest(): Intent {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) return document(Intent.ACTION_OPEN_DOCUMENT, "image/*")
        return Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*")
    }

    private fun document(action: String, type: String) =
        Intent(action).addCategory(Intent.CATEGORY_OPENABLE).setType(type)

    private fun ask(request: Intent, code: Int) {
        try {
            // The framework's own way, which androidx deprecates in favour of what wraps it.
            @Suppress("DEPRECATION")
            startActivityForResult(request, code)
        } catch (_: ActivityNotFoundException) {
            controller.problem("this device has no app that can choose files; install one")
        }
    }

    @Suppress("OVERRIDE_DEPRECATION")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        @Suppress("DEPRECATION")
        super.onActivityResult(requestCode, resultCode, data)
        // Nothing was chosen: nothing changes.
        val chosen = data?.data?.takeIf { resultCode == RESULT_OK } ?: return
        when (requestCode) {
            PHOTO -> controller.onPhoto(picked(chosen))
            BUNDLE -> controller.onBundle(picked(chosen))
            RESULTS -> results()?.let { text -> save(chosen, "results are") { text.encodeToByteArray() } }
            PICTURE -> still()?.let { draw -> save(chosen, "picture is", draw) }
        }
    }

    private fun picked(chosen: Uri): Picked {
        // This Activity may be gone when they are asked for.
        val context = applicationContext
        return Picked({ displayName(context, chosen) }, { declaredBytes(context, chosen) }) {
            context.contentResolver.openInputStream(chosen) ?: throw IOException("its provider gives nothing")
        }
    }

    private fun results(): String? {
        if (controller.results == null) controller.problem("there are no results any more; run the self-test")
        return controller.results
    }

    /** What makes the still image's file, of what is shown now. */
    private fun still(): (() -> ByteArray)? {
        val (image, state) = controller.moment.run { image to state }
        if (image == null) {
            controller.problem("there is no picture any more; pause the camera or choose a photo")
            return null
        }
        return {
            val bytes = ByteArrayOutputStream()
            picture(image, state).compress(Bitmap.CompressFormat.PNG, 100, bytes)
            bytes.toByteArray()
        }
    }

    /** @param what of the app it is, with its verb. */
    private fun save(chosen: Uri, what: String, bytes: () -> ByteArray) {
        // A provider may be somewhere in the network.
        thread {
            try {
                val stream = applicationContext.contentResolver.openOutputStream(chosen, "wt")
                (stream ?: throw IOException("its provider takes nothing")).use { it.write(bytes()) }
                controller.success("The $what saved as ${displayName(chosen)}")
            } catch (error: Exception) {
                controller.problem("${displayName(chosen)}: cannot be written (${error.message}); choose another place")
            }
        }
    }

    private fun share() {
        val state = controller.moment.state
        val seen = state.seen ?: return
        still()?.let { draw -> share("${state.bundle}.png", PNG, answersAsText(state, seen), draw) }
    }

    private fun shareResults() {
        results()?.let { text -> share(DEVICE_PARITY, JSON, null) { text.encodeToByteArray() } }
    }

    private fun share(name: String, type: String, text: String?, bytes: () -> ByteArray) {
        thread {
            try {
                val uri = SharedFiles.put(applicationContext, name, bytes())
                val sent = Intent(Intent.ACTION_SEND).setType(type).putExtra(Intent.EXTRA_STREAM, uri)
                if (text != null) sent.putExtra(Intent.EXTRA_TEXT, text)
                // The permission to read goes with the clip alone where the system asks whom to give it to.
                sent.clipData = ClipData.newUri(contentResolver, name, uri)
                sent.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
                main.post { startActivity(Intent.createChooser(sent, null)) }
            } catch (error: IOException) {
                controller.problem("$name: cannot be made (${error.message}); make room on this device")
            }
        }
    }

    private fun displayName(chosen: Uri) = displayName(applicationContext, chosen)
}
