package samesight.contract

import kotlinx.serialization.json.JsonPrimitive

/** What runs an artifact on a phone. */
enum class ComputeUnit { CPU, GPU, NPU }

/** Whose apps load an artifact. */
enum class Platform { ANDROID, IOS }

enum class Dtype { INT8, UINT8, FLOAT16, FLOAT32 }

/** One file of the bundle: its length and content hash. */
data class FileEntry(val path: String, val bytes: Long, val sha256: String)

/**
 * One input or output of an artifact.
 *
 * @property role null for the image.
 * @property dtype the one at the artifact's border. With a scale, real = (q - zeroPoint) * scale in float32.
 * @property layout `nhwc`, `nchw` or empty.
 * @property signature the format's own name for the tensor where it differs from [name].
 */
data class TensorInfo(
    val name: String,
    val role: Role?,
    val shape: List<Int>,
    val dtype: Dtype,
    val layout: String = "",
    val scale: Double? = null,
    val zeroPoint: Int? = null,
    val signature: String? = null,
) {
    init {
        require((scale == null) == (zeroPoint == null)) {
            "tensor ${quoted(name)} has only one of scale and zero_point"
        }
    }
}

/** Operators of one kind that an NPU leaves to the CPU, and why. */
data class LeftOperator(val kind: String, val count: Int, val reason: String)

/** What an NPU takes of a network that was compiled ahead of time: its [operators], in so many [pieces], but [left]. */
data class Plan(val pieces: Int, val operators: Int, val left: List<LeftOperator>)

/**
 * One file (or, for Core ML, one folder) of one format at one precision for one unit; [platforms] load it.
 *
 * @property unit what it was made for: the NPU of what was compiled ahead of time, the GPU of a program for Vulkan, the
 *     CPU of all that runs anywhere.
 * @property soc the chips that can run it, as `Build.SOC_MODEL` names them; empty where that is not known to be limited.
 * @property delegated the share of operators that a delegate or an NPU takes; [plan] is more of an NPU's.
 */
data class Artifact(
    val name: String,
    val file: String,
    val format: String,
    val precision: String,
    val unit: ComputeUnit,
    val platforms: List<Platform>,
    val runtime: String,
    val runtimeVersion: String,
    val osMinimum: Map<String, String>,
    val soc: List<String>,
    val inputLayout: TensorLayout,
    val input: TensorInfo,
    val outputs: List<TensorInfo>,
    val tools: Map<String, String>,
    val delegated: Double?,
    val plan: Plan?,
    val bytes: Long,
)

/** Where the test split comes from and what the server model scores on it. */
data class DataSource(val source: String, val seed: Long, val metricName: String?, val metric: Double?)

/** Everything in a bundle; [files] lists all but manifest.json, parity.json, signature.json and report.html. */
data class Manifest(
    val model: String,
    val samesight: String,
    val data: DataSource?,
    val artifacts: List<Artifact>,
    val files: List<FileEntry>,
) {
    init {
        val paths = files.map { it.path }
        require(paths.toSet().size == paths.size) { "a file is listed twice" }
        val names = artifacts.map { it.name }
        require(names.toSet().size == names.size) { "two artifacts have the same name" }
        for (artifact in artifacts) {
            require(paths.any { belongs(it, artifact) }) {
                "artifact ${quoted(artifact.name)}: its file ${quoted(artifact.file)} is not listed"
            }
        }
    }
}

/** Whether a file of the bundle is the artifact's file or inside its folder. */
fun belongs(path: String, artifact: Artifact): Boolean =
    path == artifact.file || path.startsWith(artifact.file + "/")

/**
 * What is wrong with a path inside a bundle; null for a relative one, with '/', without '..', drive or empty part.
 */
fun checkRelative(path: String): String? {
    val parts = path.split("/")
    return when {
        path.any { it in "\\:" } || isUnprintable(path) || parts.any { it.isEmpty() || it == "." } ->
            "${quoted(path)} is not a plain path inside the bundle"
        ".." in parts -> "${quoted(path)} leaves the bundle"
        else -> null
    }
}

/**
 * Reads a manifest from JSON.
 *
 * @throws SamesightError not JSON, of a newer schema, or contradicting itself; the sentence begins with [source].
 */
fun parseManifest(text: ByteArray, source: String): Manifest = parseDocument("Manifest", text, source, ::manifest)

private val SHA256 = Regex("[0-9a-f]{64}")
private val NAME = Regex("[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
private val SOC = Regex("[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}")

internal fun Value.sha256(): String = text(SHA256)

internal fun Value.bundlePath(): String {
    val path = text(length = 1..500)
    checkRelative(path)?.let { wrong(it) }
    return path
}

internal fun manifest(fields: Fields) =
    Manifest(
        model = fields.required("model") { text() },
        samesight = fields.required("samesight") { text() },
        data = fields.optional("data", null) { orNull { fields("DataSource", ::dataSource) } },
        artifacts = fields.required("artifacts") { list { fields("Artifact", ::artifact) } },
        files = fields.required("files") { list { fields("FileEntry", ::fileEntry) } },
    )

private fun fileEntry(fields: Fields) =
    FileEntry(
        path = fields.required("path") { bundlePath() },
        bytes = fields.required("bytes") { whole(0) },
        sha256 = fields.required("sha256") { sha256() },
    )

private fun artifact(fields: Fields) =
    Artifact(
        name = fields.required("name") { text(NAME) },
        file = fields.required("file") { bundlePath() },
        format = fields.required("format") { text() },
        precision = fields.required("precision") { text() },
        unit = fields.optional("unit", ComputeUnit.CPU) { choice(ComputeUnit.entries) },
        platforms = fields.optional("platforms", emptyList()) { list { choice(Platform.entries) } },
        runtime = fields.required("runtime") { text() },
        runtimeVersion = fields.required("runtime_version") { text() },
        osMinimum = fields.optional("os_minimum", emptyMap()) { map { text() } },
        soc = fields.optional("soc", null) { orNull { list { text(SOC) } } }.orEmpty(),
        inputLayout = fields.required("input_layout") { choice(TensorLayout.entries) },
        input = fields.required("input") { fields("TensorInfo", ::tensorInfo) },
        outputs = fields.required("outputs") { list { fields("TensorInfo", ::tensorInfo) } },
        tools = fields.required("tools") { map { text() } },
        delegated = fields.optional("delegated", null) { orNull { fraction() } },
        plan = fields.optional("plan", null) { orNull { fields("Plan", ::plan) } },
        bytes = fields.required("bytes") { whole(0) },
    )

private fun plan(fields: Fields) =
    Plan(
        pieces = fields.required("pieces") { int() },
        operators = fields.required("operators") { int() },
        left = fields.optional("left", emptyList()) { list { fields("LeftOperator", ::leftOperator) } },
    )

private fun leftOperator(fields: Fields) =
    LeftOperator(
        kind = fields.required("kind") { text() },
        count = fields.required("count") { int() },
        reason = fields.required("reason") { text() },
    )

private fun tensorInfo(fields: Fields) =
    TensorInfo(
        name = fields.required("name") { text() },
        role = fields.required("role") { imageOrRole() },
        shape = fields.required("shape") { list { int() } },
        dtype = fields.required("dtype") { choice(Dtype.entries) },
        layout = fields.optional("layout", "") { oneOf(listOf("nhwc", "nchw", "")) },
        scale = fields.optional("scale", null) { orNull { number() } },
        zeroPoint = fields.optional("zero_point", null) { orNull { int() } },
        signature = fields.optional("signature", null) { orNull { text() } },
    )

/** null for `image`. */
private fun Value.imageOrRole(): Role? {
    val names = listOf("image") + Role.entries.map { it.label }
    // pydantic's complaint about a union is that of its first member.
    val name = (json as? JsonPrimitive)?.takeIf { it.isString && it.content in names }?.content
    if (name == null) Value(json, inside("literal['image']")).wrong("Input should be 'image'")
    return Role.entries.find { it.label == name }
}

private fun dataSource(fields: Fields) =
    DataSource(
        source = fields.required("source") { text() },
        seed = fields.required("seed") { whole() },
        metricName = fields.also { it.optional("split", "test") { oneOf(listOf("test")) } }
            .optional("metric_name", null) { orNull { text() } },
        metric = fields.optional("metric", null) { orNull { number() } },
    )
