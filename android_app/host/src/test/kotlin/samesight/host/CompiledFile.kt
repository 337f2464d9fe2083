package samesight.host

import com.google.ai.edge.litert.Environment
import java.io.File
import samesight.contract.ComputeUnit
import samesight.contract.SamesightError
import samesight.contract.openBundle
import samesight.engine.LiteRtOpener
import samesight.engine.Mode
import samesight.engine.artifactFile
import samesight.engine.readGraph

/**
 * `BUNDLE ARTIFACT NPU_FOLDER`: what LiteRT on this computer does with a file that was compiled ahead of time for an NPU,
 * a line each. There is a dispatch library by name, so that LiteRT itself is asked.
 */
fun main(arguments: Array<String>) {
    val bundle = openBundle(File(arguments[0]))
    val file = artifactFile(bundle, bundle.find(arguments[1]))
    val folder = File(arguments[2])
    val environment = Environment.create(mapOf(Environment.Option.DispatchLibraryDir to folder.path))
    val opener = LiteRtOpener(environment, threads = 1, npuLibraries = folder)
    val tensor = bundle.goldenCases().first().tensor
    println("dispatch\t${readGraph(file.path).isDispatch}")
    println("chips\t${file.artifact.soc.joinToString()}")
    println("plan\t${file.artifact.plan}")
    for (unit in ComputeUnit.entries) {
        for (mode in opener.modes(unit)) {
            val fate =
                try {
                    opener.open(file, unit, mode).use { "gives ${it.run(tensor).keys}" }
                } catch (refusal: SamesightError) {
                    refusal.message
                }
            println("$unit $mode\t$fate")
        }
    }
}
