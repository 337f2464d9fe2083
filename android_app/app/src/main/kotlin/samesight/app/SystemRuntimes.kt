package samesight.app

import android.app.ActivityManager
import android.app.ApplicationExitInfo
import android.content.Context
import android.content.pm.PackageManager
import android.os.Build
// With a star, because what is a member in LiteRT's library is an extension in its stand-in (`androidstubs`).
import com.google.ai.edge.litert.*
import java.io.File
import samesight.contract.ComputeUnit
import samesight.contract.Device
import samesight.contract.SamesightError
import samesight.engine.ArtifactFile
import samesight.engine.Engine
import samesight.engine.ExecuTorchOpener
import samesight.engine.LiteRtOpener
import samesight.engine.Mode
import samesight.engine.Opener
import samesight.engine.TrialNotes
import samesight.engine.WatchedOpener
import samesight.engine.cpuThreads

/** LiteRT and ExecuTorch as this app has them. */
class SystemRuntimes(private val context: Context) : Runtimes {
    private val nativeLibraries = context.applicationInfo.nativeLibraryDir?.let(::File)

    override val device =
        Device(app(context), deviceName(), "Android ${Build.VERSION.RELEASE}", runtimeVersions(context))

    override val soc = soc()

    override val notes by lazy {
        TrialNotes(File(context.noBackupFilesDir, "units"), system()) { endedByNoFault(context) }
    }

    override val openers: Map<String, Opener> by lazy {
        mapOf(
            "litert" to openerOrRefusal("LiteRT", notes) { WatchedOpener(make = ::liteRt) },
            "executorch" to WatchedOpener { ExecuTorchOpener() },
        )
    }

    private fun liteRt() = LiteRtOpener(environment(), cpuThreads(), nativeLibraries, gpuCache())

    // An NPU's libraries lie where the system unpacked them at installation, if the app has any. What LiteRT compiles for
    // an NPU is kept in the app's cache, as long as nobody says otherwise here.
    private fun environment() = Environment.create(context, BuiltinNpuAcceleratorProvider(context))

    /** The system empties this folder with every new version of the app or of itself, and so of its drivers. */
    private fun gpuCache() = File(context.codeCacheDir, "gpu")

    /** All that a choice of unit depends on, but for the artifact. */
    private fun system(): String {
        val info = context.packageManager.getPackageInfo(context.packageName, 0)
        val libraries = nativeLibraries?.list().orEmpty().filter { "LiteRtDispatch" in it }.sorted()
        return (listOf(device.app, info.lastUpdateTime, device.runtimes, Build.FINGERPRINT, cpuThreads()) + libraries)
            .joinToString("\n")
    }
}

/**
 * Whether the system tells that the app's last process ended for a reason outside of it, such as a person who closed it.
 *
 * Before Android 11 it does not tell.
 */
internal fun endedByNoFault(context: Context): Boolean {
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) return false
    val manager = context.getSystemService(ActivityManager::class.java) ?: return false
    val last = manager.getHistoricalProcessExitReasons(null, 0, 1).firstOrNull() ?: return false
    return when (last.reason) {
        ApplicationExitInfo.REASON_USER_REQUESTED,
        ApplicationExitInfo.REASON_USER_STOPPED,
        ApplicationExitInfo.REASON_PERMISSION_CHANGE,
        ApplicationExitInfo.REASON_DEPENDENCY_DIED,
        -> true
        // In front of somebody it was the model that filled the memory.
        ApplicationExitInfo.REASON_LOW_MEMORY ->
            last.importance >= ActivityManager.RunningAppProcessInfo.IMPORTANCE_CACHED
        else -> false
    }
}

/** Such as `Android app 0.1.0`. */
internal fun app(context: Context): String {
    val version = context.packageManager.getPackageInfo(context.packageName, 0).versionName
    return listOfNotNull("Android app", version).joinToString(" ")
}

/** Versions by name: the build writes them into the manifest, where it takes the libraries from. */
internal fun runtimeVersions(context: Context): Map<String, String> {
    val info = context.packageManager.getApplicationInfo(context.packageName, PackageManager.GET_META_DATA)
    val versions = info.metaData?.getString("samesight.runtimes").orEmpty()
    return versions.split(";").filter { "=" in it }.associate { it.substringBefore("=") to it.substringAfter("=") }
}

/** The chip, as Android tells it since version 12. */
internal fun soc(): String? =
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.S) null else Build.SOC_MODEL.takeIf { it != Build.UNKNOWN }

/** Maker and model, and the chip where it is told. */
internal fun deviceName(): String {
    val name = "${Build.MANUFACTURER} ${Build.MODEL}"
    return soc()?.let { "$name ($it)" } ?: name
}

/** The opener; where the runtime itself cannot be loaded, one that says why of every artifact. */
internal fun openerOrRefusal(runtime: String, notes: TrialNotes, make: () -> Opener): Opener {
    notes.skipped(runtime)?.let { return Refusing("$runtime: $it") }
    var reason = "$runtime could not be loaded"
    return catchFailures<Opener?>({
        reason = "$runtime could not be loaded: $it"
        null
    }) { notes.trying(runtime, make) } ?: Refusing(reason)
}

private class Refusing(private val reason: String) : Opener {
    override fun open(file: ArtifactFile, unit: ComputeUnit, mode: Mode): Engine = throw SamesightError(reason)

    override fun close() = Unit
}
