package samesight.host

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import java.io.File
import samesight.contract.Artifact
import samesight.contract.Bundle
import samesight.contract.openBundle
import samesight.engine.LiteRtOpener
import samesight.engine.Request
import samesight.engine.artifactFile
import samesight.engine.place

/**
 * `BUNDLE ARTIFACT NPU_FOLDER`: what LiteRT does where the app could be fooled, a line each. A test has it run, and
 * compares with what is known of Android (docs/on-a-phone.md).
 */
fun main(arguments: Array<String>) {
    val bundle = openBundle(File(arguments[0]))
    val artifact = bundle.find(arguments[1])
    val folder = File(arguments[2])
    val file = bundle.path(artifact).path
    val plain = Environment.create()
    val withFolder = Environment.create(mapOf(Environment.Option.DispatchLibraryDir to folder.path))
    fun refusal(environment: Environment, vararg units: Accelerator): String? =
        failure { CompiledModel.create(file, CompiledModel.Options(*units), environment).close() }
    val facts =
        mapOf(
            "accelerators" to plain.getAvailableAccelerators().sorted().joinToString(),
            "accelerators with a folder" to withFolder.getAvailableAccelerators().sorted().joinToString(),
            "NPU" to refusal(withFolder, Accelerator.NPU),
            "NPU, CPU" to refusal(withFolder, Accelerator.NPU, Accelerator.CPU),
            "NPU, NONE" to refusal(withFolder, Accelerator.NPU, Accelerator.NONE),
            "NPU, NONE without a folder" to refusal(plain, Accelerator.NPU, Accelerator.NONE),
            "CPU, NONE" to refusal(plain, Accelerator.CPU, Accelerator.NONE),
            "threads by default" to "${addedThreads(artifact, file, plain, null)}",
            "threads of four" to "${addedThreads(artifact, file, plain, 4)}",
        ) + types(artifact, file, plain) + closed(artifact, file, plain) + mapOf(
            "a status that is not known" to failure { throw LiteRtException(77, "what") },
            "a status that is known" to failure { throw LiteRtException(504, "what") },
            "the ladder" to ladder(bundle, artifact, withFolder, folder),
        )
    for ((name, fact) in facts) println("$name\t${fact ?: "ok"}")
}

/** The failure's class and message; null where there is none. */
private fun failure(act: () -> Unit): String? =
    try {
        act()
        null
    } catch (problem: Exception) {
        "${problem.javaClass.simpleName}: ${problem.message}"
    }

/** Threads of this process that a model and its run begin. */
private fun addedThreads(artifact: Artifact, file: String, environment: Environment, threads: Int?): Int {
    fun count() = File("/proc/self/task").list()?.size ?: 0
    val options = CompiledModel.Options(Accelerator.CPU)
    threads?.let { options.cpuOptions = CompiledModel.CpuOptions(numThreads = it) }
    val before = count()
    return CompiledModel.create(file, options, environment).use { model ->
        run(artifact, model)
        count() - before
    }
}

private fun buffers(artifact: Artifact, model: CompiledModel): Pair<Map<String, TensorBuffer>, Map<String, TensorBuffer>> {
    val input = artifact.input.signature ?: artifact.input.name
    val outputs = artifact.outputs.map { it.signature ?: it.name }
    return mapOf(input to model.createInputBuffer(input)) to outputs.associateWith { model.createOutputBuffer(it) }
}

private fun run(artifact: Artifact, model: CompiledModel) {
    val (inputs, outputs) = buffers(artifact, model)
    model.run(inputs, outputs)
    (inputs.values + outputs.values).forEach { it.close() }
}

private fun types(artifact: Artifact, file: String, environment: Environment): Map<String, String?> =
    CompiledModel.create(file, optionalEnv = environment).use { model ->
        val output = artifact.outputs.first()
        val input = artifact.input.signature ?: artifact.input.name
        val outputType = model.getOutputTensorType(output.signature ?: output.name)
        mapOf(
            "input" to model.getInputTensorType(input).run { "$elementType ${layout?.dimensions}" },
            "output" to outputType.run { "$elementType ${layout?.dimensions}" },
            "no such output" to failure { model.getOutputTensorType("nothing") },
            "no such signature" to failure { model.createInputBuffer(input, "nothing") },
        )
    }

private fun closed(artifact: Artifact, file: String, environment: Environment): Map<String, String?> {
    val model = CompiledModel.create(file, optionalEnv = environment)
    val (inputs, outputs) = buffers(artifact, model)
    model.close()
    model.close()
    val buffer = outputs.values.first().also { it.close() }
    val own = Environment.create().also { it.close() }
    return mapOf(
        "a closed model" to failure { model.run(inputs, outputs) },
        "a closed buffer" to failure { buffer.readFloat() },
        "a closed environment" to failure { own.getAvailableAccelerators() },
    )
}

/** What the app chooses with such a folder, and what it says of the NPU. */
private fun ladder(bundle: Bundle, artifact: Artifact, environment: Environment, folder: File): String {
    val opener = LiteRtOpener(environment, threads = 1, npuLibraries = folder)
    val placement = place(Request(artifactFile(bundle, artifact), bundle.spec, bundle.goldenCases()), opener)
    placement.engine.close()
    return "${placement.chosen.unit} ${placement.chosen.proof}; ${placement.trials.first().refusal}"
}
