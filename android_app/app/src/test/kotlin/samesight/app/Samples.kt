package samesight.app

import java.io.ByteArrayInputStream
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.Executor
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import samesight.contract.ComputeUnit
import samesight.contract.Device
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.fileSha256
import samesight.contract.sha256
import samesight.engine.ArtifactFile
import samesight.engine.Engine
import samesight.engine.Mode
import samesight.engine.Opener
import samesight.engine.TrialNotes

// Bundles of two networks of 2 x 1 pixels. "sums" ranks its two pixels by brightness; "spots" finds one box from the
// left edge to as far right as its first pixel is red, of half the height and more as it is green.

internal fun outputs(task: String, tensor: ByteArray): Map<Role, Tensor> {
    val levels = FloatArray(6) { (tensor[it].toInt() and 255).toFloat() }
    if (task == "classification") {
        val logits = FloatArray(2) { (levels[3 * it] + levels[3 * it + 1] + levels[3 * it + 2]) / 100 }
        return mapOf(Role.LOGITS to Tensor(listOf(1, 2), logits))
    }
    val box = floatArrayOf(0f, 0f, levels[0] / 255, 0.5f + levels[1] / 510)
    return mapOf(
        Role.LOGITS to Tensor(listOf(1, 1, 1), floatArrayOf(1 + levels[2] / 255)),
        Role.BOXES to Tensor(listOf(1, 1, 4), box),
    )
}

private fun json(value: Any?): String =
    when (value) {
        is Map<*, *> -> value.entries.joinToString(",", "{", "}") { "\"${it.key}\":${json(it.value)}" }
        is List<*> -> value.joinToString(",", "[", "]") { json(it) }
        is String -> "\"$value\""
        else -> value.toString()
    }

private fun tensors(name: String, shape: List<Int>) = mapOf("path" to name, "shape" to shape)

private fun info(name: String, shape: List<Int>, layout: String = "") =
    mapOf("name" to name, "role" to name, "shape" to shape, "dtype" to "float32", "layout" to layout)

/** Writes a bundle whose artifacts are [artifacts], format by name; [passed] are its verdicts by name. */
internal fun writeBundle(
    folder: File,
    name: String = "sums",
    artifacts: Map<String, String> = mapOf("$name.fp32" to "litert"),
    passed: Map<String, Boolean> = emptyMap(),
    background: List<Int> = listOf(255, 255, 255),
    seed: Int = 0,
    soc: Map<String, List<String>> = emptyMap(),
): File {
    val task = if (name == "spots") "detection" else "classification"
    File(folder, "artifacts").mkdirs()
    File(folder, "golden").mkdirs()
    for (artifact in artifacts.keys) File(folder, "artifacts/$artifact").writeText("weights of $artifact")
    File(folder, "model.json").writeText(json(spec(name, task, background)))
    File(folder, "golden/cases.json").writeText(json(mapOf("cases" to List(3) { case(folder, it, task, seed) })))
    val roles = outputs(task, ByteArray(6)).entries.map { info(it.key.name.lowercase(), it.value.shape) }
    val listed = artifacts.map { (artifact, format) ->
        mapOf(
            "name" to artifact, "file" to "artifacts/$artifact", "format" to format, "precision" to "fp32",
            "runtime" to "a runtime", "runtime_version" to "1", "input_layout" to "float32_nchw",
            "input" to info("image", listOf(1, 3, 1, 2), "nchw"), "outputs" to roles,
            "unit" to if (artifact in soc) "npu" else "cpu", "soc" to soc[artifact],
            "tools" to emptyMap<String, String>(), "bytes" to File(folder, "artifacts/$artifact").length(),
        )
    }
    val unlisted = listOf("manifest.json", "parity.json")
    val files = folder.walk().filter { it.isFile && it.name !in unlisted }.sorted().map {
        mapOf("path" to it.relativeTo(folder).path, "bytes" to it.length(), "sha256" to fileSha256(it))
    }
    val manifest =
        json(mapOf("model" to name, "samesight" to "0.1.0", "artifacts" to listed, "files" to files.toList()))
    File(folder, "manifest.json").writeText(manifest)
    if (passed.isNotEmpty()) {
        File(folder, "parity.json").writeText(verdicts(sha256(manifest.encodeToByteArray()), passed))
    }
    return folder
}

private fun spec(name: String, task: String, background: List<Int>) =
    mapOf(
        "name" to name,
        "task" to task,
        "input" to mapOf(
            "width" to 2, "height" to 1, "framing" to mapOf("rule" to "stretch"), "background" to background,
            "mean" to listOf(0, 0, 0), "std" to listOf(1, 1, 1),
        ),
        "outputs" to mapOf(
            "tensors" to if (task == "detection") listOf("logits", "boxes") else listOf("logits"),
            "roles" to (if (task == "detection") listOf("logits", "boxes") else listOf("logits"))
                .associateWith { mapOf("tensor" to it, "channel_axis" to if (task == "detection") 2 else null) },
            "activation" to if (task == "detection") "sigmoid" else "softmax",
        ),
        "labels" to if (task == "detection") listOf("spot") else listOf("left", "right"),
        "detection" to
            if (task == "detection") mapOf("boxes" to mapOf("coding" to "corners", "unit" to "fraction")) else null,
    )

private fun case(folder: File, number: Int, task: String, seed: Int): Map<String, Any?> {
    val pixels = ByteArray(6) { ((it + seed) * (number + 3) * 17).toByte() }
    val id = "00$number"
    val header = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(2).putInt(1).array()
    File(folder, "golden/$id.png").writeText("for people")
    File(folder, "golden/$id.rgb").writeBytes(header + pixels)
    File(folder, "golden/$id.input").writeBytes(pixels)
    val outputs = outputs(task, pixels).entries.associate { (role, tensor) ->
        val path = "golden/$id.${role.name.lowercase()}"
        val bytes = ByteBuffer.allocate(4 * tensor.values.size).order(ByteOrder.LITTLE_ENDIAN)
        tensor.values.forEach { bytes.putFloat(it) }
        File(folder, path).writeBytes(bytes.array())
        role.name.lowercase() to tensors(path, tensor.shape)
    }
    return mapOf(
        "id" to id, "picture" to "golden/$id.png", "image" to "golden/$id.rgb", "width" to 2, "height" to 1,
        "quarter_turns" to 0, "mirrored" to false, "yuv" to null,
        "input" to tensors("golden/$id.input", listOf(1, 2, 3)), "outputs" to outputs, "answers" to emptyList<String>(),
    )
}

private fun verdicts(manifest: String, passed: Map<String, Boolean>) =
    json(
        mapOf(
            "manifest_sha256" to manifest,
            "passed" to true,
            "artifacts" to passed.map { (name, verdict) ->
                mapOf(
                    "name" to name, "format" to "litert", "precision" to "fp32", "unit" to "cpu", "runner" to null,
                    "passed" to verdict, "reason" to "", "cases" to 3, "roles" to emptyList<String>(),
                    "agreement" to null, "mean_iou" to null, "score_difference" to null, "steps_apart" to null,
                    "metric" to null, "bytes" to 1, "bytes_ratio" to null,
                )
            },
        ),
    )

/** One file of a bundle, as `samesight pack` would make it. */
internal fun packed(folder: File): ByteArray {
    val bytes = java.io.ByteArrayOutputStream()
    ZipOutputStream(bytes).use { zip ->
        for (file in folder.walk().filter { it.isFile }.sorted()) {
            zip.putNextEntry(ZipEntry(file.relativeTo(folder).path))
            zip.write(file.readBytes())
        }
    }
    return bytes.toByteArray()
}

internal fun picked(name: String, bytes: ByteArray) = Picked({ name }) { ByteArrayInputStream(bytes) }

/** Assets in a folder. */
internal class FolderAssets(private val root: File) : Assets {
    override fun list(folder: String): List<String> = File(root, folder).list().orEmpty().toList()

    override fun open(path: String): InputStream {
        val file = File(root, path)
        if (!file.isFile) throw FileNotFoundException(path)
        return file.inputStream()
    }
}

/** A runtime that has [units] and computes the two networks; a test may have it fail or wait. */
internal class FakeOpener(private val units: Set<ComputeUnit> = setOf(ComputeUnit.CPU)) : Opener {
    val opened = mutableListOf<Pair<String, ComputeUnit>>()
    var refused = emptySet<String>()
    @Volatile var inMemory = 0
    @Volatile var opening: () -> Unit = {}
    @Volatile var running: () -> Unit = {}

    override fun open(file: ArtifactFile, unit: ComputeUnit, mode: Mode): Engine {
        val artifact = file.artifact
        if (artifact.name in refused) throw SamesightError("no library for ${artifact.name}")
        if (unit !in units) throw SamesightError("no $unit here")
        opened += artifact.name to unit
        opening()
        inMemory++
        return object : Engine {
            override val certain = true
            override val operations = null
            override val delegates = emptyList<String>()
            private var closed = false

            override fun run(tensor: ByteArray): Map<Role, Tensor> {
                check(!closed) { "run after close" }
                running()
                return outputs(if (artifact.outputs.size > 1) "detection" else "classification", tensor)
            }

            override fun close() {
                if (!closed) inMemory--
                closed = true
            }
        }
    }

    override fun close() = Unit
}

internal class FakeRuntimes(
    override val openers: Map<String, Opener>,
    override val soc: String? = null,
    override val notes: TrialNotes? = null,
) : Runtimes {
    override val device = Device("Android app test", "a device", "Android", mapOf("LiteRT" to "0"))
}

internal class FakeMemory(override var choices: Choices = Choices()) : Memory

/** Does at once what it is given, on the same thread. */
internal val atOnce = Executor { it.run() }

/** Keeps what it is given until the test says so. */
internal class Later : Executor {
    val waiting = ArrayDeque<Runnable>()

    override fun execute(command: Runnable) {
        waiting += command
    }

    fun runAll() {
        while (waiting.isNotEmpty()) waiting.removeFirst().run()
    }
}
