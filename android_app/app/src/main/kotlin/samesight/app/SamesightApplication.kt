package samesight.app

import android.app.Application
import android.content.Context
import android.content.SharedPreferences
import android.content.pm.ApplicationInfo
import android.content.res.AssetManager
import android.hardware.camera2.CameraManager
import android.hardware.display.DisplayManager
import android.os.StrictMode
import android.view.Display
import java.io.InputStream
import java.util.concurrent.Executors
import samesight.contract.ComputeUnit
import samesight.contract.Helpers

/** Holds what outlives an Activity: models, results, what was chosen. Tests replace parts of the system here. */
open class SamesightApplication : Application() {
    internal val shelf: Shelf by lazy { Bundles(assetFiles(), filesDir, cacheDir) }
    internal val runtimes: Runtimes by lazy { runtimes() }

    internal val begun = lazy {
        Controller(
            shelf,
            runtimes,
            SystemPhotos(),
            Preferences(getSharedPreferences("choices", Context.MODE_PRIVATE)),
            Executors.newSingleThreadExecutor { Thread(it, "loader") },
            Executors.newSingleThreadExecutor { Thread(it, "analyzer") },
            helpers = Helpers(helperCount(Runtime.getRuntime().availableProcessors())),
        ).also { it.start() }
    }

    /** The one controller of this process; it begins with its first use. */
    val controller: Controller by begun

    /** The device's camera. */
    val camera: Camera by lazy { camera() }

    override fun onCreate() {
        super.onCreate()
        if (applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0) beStrict()
    }

    protected open fun assetFiles(): Assets = PackagedAssets(assets)

    protected open fun runtimes(): Runtimes = SystemRuntimes(this)

    protected open fun camera(): Camera {
        val displays: DisplayManager = service()
        return Camera2Feed(service<CameraManager>()) {
            90 * (displays.getDisplay(Display.DEFAULT_DISPLAY)?.rotation ?: 0)
        }
    }

    private inline fun <reified T : Any> service(): T = checkNotNull(getSystemService(T::class.java))

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        // Since Android 14 the system says no more than this: hidden, or on the list of what it ends next.
        if (level >= TRIM_MEMORY_BACKGROUND) release()
    }

    override fun onLowMemory() {
        super.onLowMemory()
        release()
    }

    /** Without a controller there is nothing to release; to make one would load a model. */
    private fun release() {
        if (begun.isInitialized()) controller.release()
    }
}

/** In debug builds the log says where the main thread waits for files or others, and what was never closed. */
private fun beStrict() {
    StrictMode.setThreadPolicy(StrictMode.ThreadPolicy.Builder().detectAll().penaltyLog().build())
    val objects = StrictMode.VmPolicy.Builder().detectActivityLeaks().detectLeakedClosableObjects()
    objects.detectLeakedRegistrationObjects().detectFileUriExposure()
    StrictMode.setVmPolicy(objects.penaltyLog().build())
}

/** A phone's fast cores are half of them at most, and one of those runs the network meanwhile. */
internal fun helperCount(cores: Int): Int = (cores / 2 - 1).coerceIn(0, 2)

private class PackagedAssets(private val assets: AssetManager) : Assets {
    override fun list(folder: String): List<String> = assets.list(folder).orEmpty().toList()

    override fun open(path: String): InputStream = assets.open(path)
}

/** Choices in a file of the system's, so that they outlive the process. */
internal class Preferences(private val file: SharedPreferences) : Memory {
    override var choices: Choices
        get() =
            Choices(
                file.getString("bundle", null),
                file.getString("artifact", null),
                ComputeUnit.entries.find { it.name == file.getString("unit", null) },
            )
        set(value) {
            val editor = file.edit()
            editor.putString("bundle", value.bundle).putString("artifact", value.artifact)
            editor.putString("unit", value.unit?.name).apply()
        }
}
