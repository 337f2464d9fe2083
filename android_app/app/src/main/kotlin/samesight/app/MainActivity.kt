package samesight.app

import android.Manifest
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.provider.MediaStore
import android.provider.Settings
import androidx.activity.ComponentActivity
import java.io.IOException
import kotlin.concurrent.thread
import samesight.contract.DEVICE_PARITY
import samesight.ui.Camera as CameraState
import samesight.ui.Event
import samesight.ui.SelfTest
import samesight.ui.Source

private const val PERMISSION = 1
private const val PHOTO = 2
private const val BUNDLE = 3
private const val RESULTS = 4

/** Asks the system for what the controller cannot: the camera and its permission, photos, files. */
open class MainActivity : ComponentActivity() {
    private val main = Handler(Looper.getMainLooper())
    private val app get() = application as SamesightApplication
    private val controller get() = app.controller
    private var resumed = false
    private var show: (Moment) -> Unit = {}

    /** Shows moments from [first] on; tests look at them instead. */
    internal open fun content(first: Moment): (Moment) -> Unit = screen(first, ::onEvent)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        show = content(controller.moment)
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
        val needed = resumed && state.source == Source.CAMERA && state.camera == CameraState.On && !state.testing
        if (needed) app.camera.start(controller, state.front) else app.camera.stop()
        window.decorView.keepScreenOn = needed || state.selfTest is SelfTest.Running
    }

    /** What a person asks for. */
    internal fun onEvent(event: Event) =
        when (event) {
            Event.AllowCamera -> allow()
            Event.PickPhoto -> ask(photoRequest(), PHOTO)
            Event.OpenBundle -> ask(document(Intent.ACTION_OPEN_DOCUMENT, "*/*"), BUNDLE)
            Event.SaveResults -> {
                val request = document(Intent.ACTION_CREATE_DOCUMENT, "application/json")
                ask(request.putExtra(Intent.EXTRA_TITLE, DEVICE_PARITY), RESULTS)
            }
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
            RESULTS -> save(chosen)
        }
    }

    private fun picked(chosen: Uri): Picked {
        // This Activity may be gone when they are asked for.
        val context = applicationContext
        return Picked({ displayName(context, chosen) }, { declaredBytes(context, chosen) }) {
            context.contentResolver.openInputStream(chosen) ?: throw IOException("its provider gives nothing")
        }
    }

    private fun save(chosen: Uri) {
        val text = controller.results ?: return controller.problem("there are no results to save; run the self-test")
        // A provider may be somewhere in the network.
        thread {
            try {
                val stream = applicationContext.contentResolver.openOutputStream(chosen, "wt")
                (stream ?: throw IOException("its provider takes nothing")).use { it.write(text.encodeToByteArray()) }
                controller.success("The results are saved as ${displayName(chosen)}")
            } catch (error: Exception) {
                controller.problem("${displayName(chosen)}: cannot be written (${error.message}); choose another place")
            }
        }
    }

    private fun displayName(chosen: Uri) = displayName(applicationContext, chosen)
}
