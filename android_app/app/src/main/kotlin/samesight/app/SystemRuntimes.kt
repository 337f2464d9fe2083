package samesight.app

import android.content.Context
import android.content.pm.PackageManager
import android.os.Build
// With a star, because what is a member in LiteRT's library is an extension in its stand-in (`androidstubs`).
import com.google.ai.edge.litert.*
import java.io.File
import samesight.contract.Artifact
import samesight.contract.ComputeUnit
import samesight.contract.Device
import samesight.contract.SamesightError
import samesight.engine.Engine
import samesight.engine.ExecuTorchOpener
import samesight.engine.LiteRtOpener
import samesight.engine.Opener

/** LiteRT and ExecuTorch as this app has them. */
class SystemRuntimes(private val context: Context) : Runtimes {
    override val openers: Map<String, Opener> by lazy {
        mapOf("litert" to openerOrRefusal("LiteRT") { LiteRtOpener(environment()) }, "executorch" to ExecuTorchOpener())
    }

    override val device =
        Device(app(context), deviceName(), "Android ${Build.VERSION.RELEASE}", runtimeVersions(context))

    // An NPU's libraries lie where the system unpacked them at installation, if the app has any.
    private fun environment() = Environment.create(context, BuiltinNpuAcceleratorProvider(context))
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

/** Maker and model, and since Android 12 the chip. */
internal fun deviceName(): String {
    val name = "${Build.MANUFACTURER} ${Build.MODEL}"
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.S) return name
    return if (Build.SOC_MODEL == Build.UNKNOWN) name else "$name (${Build.SOC_MODEL})"
}

/** The opener; where the runtime itself cannot be loaded, one that says why of every artifact. */
internal fun openerOrRefusal(runtime: String, make: () -> Opener): Opener {
    var reason = "$runtime could not be loaded"
    return catchFailures<Opener?>({
        reason = "$runtime could not be loaded: $it"
        null
    }, make) ?: Refusing(reason)
}

private class Refusing(private val reason: String) : Opener {
    override fun open(artifact: Artifact, file: File, unit: ComputeUnit): Engine = throw SamesightError(reason)

    override fun close() = Unit
}
