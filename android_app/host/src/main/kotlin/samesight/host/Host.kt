package samesight.host

import com.google.ai.edge.litert.Environment
import java.io.File
import kotlin.system.exitProcess
import samesight.contract.ComputeUnit
import samesight.contract.Device
import samesight.contract.SamesightError
import samesight.contract.openBundle
import samesight.engine.LiteRtOpener
import samesight.engine.cpuThreads
import samesight.engine.selfTest

/** `BUNDLE RESULTS LITERT_VERSION UNIT...`: the app's self-test on this computer and the real LiteRT. */
fun main(arguments: Array<String>) {
    val (bundle, results, version) = arguments
    val units = arguments.drop(3).map { ComputeUnit.valueOf(it.uppercase()) }
    try {
        val device =
            Device(
                app = "Android app",
                device = "this computer",
                system = "${System.getProperty("os.name")} ${System.getProperty("os.arch")}",
                runtimes = mapOf("LiteRT" to version),
            )
        val parity =
            LiteRtOpener(Environment.create(), cpuThreads()).use {
                selfTest(openBundle(File(bundle)), mapOf("litert" to it), device, units) { done, all, next ->
                    println("$done $all $next")
                }
            }
        File(results).writeText(parity.toJson())
    } catch (problem: SamesightError) {
        System.err.println(problem.message)
        exitProcess(1)
    }
}
