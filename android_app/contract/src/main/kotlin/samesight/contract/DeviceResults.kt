package samesight.contract

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

const val DEVICE_PARITY = "device-parity.json"
private const val DEVICE_PARITY_SCHEMA = 1
private val WRITER = Json { prettyPrint = true }

/** How sure it is that the unit asked for is the unit that ran. */
enum class Proof(val text: String) {
    CERTAIN("certain"),
    TIMING("faster than the CPU can be"),
    REQUESTED("requested, not proven"),
}

/** Milliseconds: to load, of the first run, and the middle one of the later runs. */
data class Times(val load: Double, val first: Double, val steady: Double)

/**
 * What the app's code made of one golden case.
 *
 * @property image which of the case's images: `rgb`, `i420`, `nv12` or `nv21`.
 * @property tensorSha256 of the input tensor's bytes, uint8 [height, width, channels].
 * @property answers boxes in pixels of the stored image.
 */
class CaseRun(val id: String, val image: String, val tensorSha256: String, val answers: List<Answer>)

/**
 * One artifact on one unit.
 *
 * @property proof null where [refusal] says why the app does not use this unit.
 * @property delegates of an ExecuTorch program.
 * @property notes how the unit was asked for where that is not the usual way, such as a GPU in float32, and why.
 * @property times null where refused.
 * @property slower than the CPU.
 * @property snrDb per role, over all RGB cases, against the server model; null for an exact copy.
 */
class UnitRun(
    val artifact: String,
    val unit: ComputeUnit,
    val proof: Proof? = null,
    val refusal: String? = null,
    val delegates: List<String> = emptyList(),
    val times: Times? = null,
    val slower: Boolean = false,
    val snrDb: Map<Role, Double?> = emptyMap(),
    val cases: List<CaseRun> = emptyList(),
    val notes: List<String> = emptyList(),
)

/**
 * What an app and the device under it are called.
 *
 * @property app its name and version.
 * @property device maker and model.
 * @property system the operating system and its version.
 * @property runtimes versions by name.
 */
class Device(val app: String, val device: String, val system: String, val runtimes: Map<String, String>)

/** What an app's own code makes of all golden cases of the bundle whose manifest has this hash. */
class DeviceParity(val manifestSha256: String, val device: Device, val runs: List<UnitRun>) {
    /** The text of `device-parity.json`, which `samesight verify --device-results` judges. */
    fun toJson(): String =
        WRITER.encodeToString(
            JsonElement.serializer(),
            plain(
                mapOf(
                    "schema_version" to DEVICE_PARITY_SCHEMA,
                    "manifest_sha256" to manifestSha256,
                    "app" to device.app,
                    "device" to device.device,
                    "system" to device.system,
                    "runtimes" to device.runtimes,
                    "runs" to runs.map(::fields),
                ),
            ),
        )
}

private fun fields(run: UnitRun) =
    mapOf(
        "artifact" to run.artifact,
        "unit" to run.unit.label,
        "proof" to run.proof?.label,
        "refusal" to run.refusal,
        "delegates" to run.delegates,
        "notes" to run.notes,
        "times" to run.times?.let { mapOf("load" to it.load, "first" to it.first, "steady" to it.steady) },
        "slower" to run.slower,
        "snr_db" to run.snrDb.mapKeys { it.key.label },
        "cases" to run.cases.map(::fields),
    )

private fun fields(case: CaseRun) =
    mapOf(
        "id" to case.id,
        "image" to case.image,
        "tensor_sha256" to case.tensorSha256,
        "answers" to case.answers.map(::fields),
    )

private fun fields(answer: Answer) =
    mapOf(
        "label" to answer.label,
        "index" to answer.index,
        "score" to answer.score,
        "box" to answer.box?.let { listOf(it.x1, it.y1, it.x2, it.y2) },
    )

private fun plain(value: Any?): JsonElement =
    when (value) {
        null -> JsonNull
        is Map<*, *> -> JsonObject(value.entries.associate { (name, part) -> name.toString() to plain(part) })
        is List<*> -> JsonArray(value.map(::plain))
        is Boolean -> JsonPrimitive(value)
        is Number -> JsonPrimitive(value)
        else -> JsonPrimitive(value.toString())
    }
