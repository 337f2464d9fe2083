package samesight.contract

/**
 * Signal-to-noise ratios of one raw output against the server model, in dB.
 *
 * @property snrDb pools all cases and positions; null with [exact] stands for an infinite ratio.
 * @property worstDb the lowest of the cases.
 * @property answeringDb pools only positions whose score reaches the threshold (detection).
 */
data class RoleFigures(
    val role: String,
    val exact: Boolean,
    val snrDb: Double?,
    val worstDb: Double?,
    val answeringDb: Double?,
    val largestError: Double,
)

/** The task metric on the test split: top-1 or mAP50, 0..1, with a paired bootstrap interval of the drop. */
data class MetricFigures(
    val name: String,
    val images: Int,
    val server: Double,
    val artifact: Double,
    val drop: Double,
    val dropLow: Double,
    val dropHigh: Double,
)

/** How bad a known fault is: wrong values without an error, it does not run, or the unit does not take the operator. */
enum class Severity { WRONG, FAILS, SLOW }

/**
 * A fault of a runtime that was reported publicly and whose pattern an artifact has. It fails nothing.
 *
 * @property units those it was seen on.
 * @property versions in which it was seen and in which it is mended.
 * @property operators the first of the [count] operators that have the pattern.
 */
data class FaultWarning(
    val id: String,
    val title: String,
    val severity: Severity,
    val units: List<ComputeUnit>,
    val versions: String,
    val operators: List<String>,
    val count: Int,
    val remedy: String,
    val source: String,
)

/**
 * One artifact against the server model.
 *
 * @property passed null where the server could not run the artifact; [reason] says why.
 * @property inconclusive the interval of the metric's drop crosses the gate.
 * @property stepsApart mean distance of an int8 artifact's outputs from those of the nearest other, in steps of the
 *     output.
 * @property warnings known faults of phones' runtimes; they do not count for [passed].
 */
data class Verdict(
    val name: String,
    val format: String,
    val precision: String,
    val unit: ComputeUnit,
    val runner: String?,
    val passed: Boolean?,
    val inconclusive: Boolean,
    val reason: String,
    val cases: Int,
    val roles: List<RoleFigures>,
    val agreement: Double?,
    val meanIou: Double?,
    val scoreDifference: Double?,
    val stepsApart: Double?,
    val largestStepsApart: Double?,
    val metric: MetricFigures?,
    val bytes: Long,
    val bytesRatio: Double?,
    val warnings: List<FaultWarning>,
) {
    /** The lowest pooled ratio over the raw outputs; null where all are exact or nothing ran. */
    val snrDb: Double?
        get() = roles.mapNotNull { it.snrDb }.minOrNull()
}

/**
 * One artifact on one unit in an app's own code, against the server model on the golden cases.
 *
 * @property passed null for a unit that the app refuses and so does not use; [reason] says why.
 * @property slower than the CPU.
 * @property delegates of an ExecuTorch program.
 */
data class AppVerdict(
    val app: String,
    val device: String,
    val system: String,
    val name: String,
    val unit: ComputeUnit,
    val proof: Proof?,
    val passed: Boolean?,
    val reason: String,
    val images: Int,
    val snrDb: Double?,
    val agreement: Double?,
    val times: Times?,
    val slower: Boolean,
    val delegates: List<String>,
)

/**
 * One artifact on what plays a phone's CPU, GPU or NPU on a computer, on the golden cases.
 *
 * @property runner what played [target]; [title] the same for people.
 * @property equal the share of an int8 artifact's output values that are the computer's own.
 * @property near the same of those within two steps of it.
 * @property note the GPU's name, or how much of the network an NPU took.
 */
data class TargetVerdict(
    val target: String,
    val runner: String,
    val title: String,
    val name: String,
    val unit: ComputeUnit,
    val passed: Boolean,
    val reason: String,
    val images: Int,
    val snrDb: Double?,
    val agreement: Double?,
    val equal: Double?,
    val near: Double?,
    val note: String,
)

/**
 * All verdicts on the bundle whose manifest has this hash; for another manifest they mean nothing.
 *
 * @property apps what apps' own code gave, on a computer or on phones.
 * @property targets what was seen on what plays a phone's processors.
 */
data class Verdicts(
    val manifestSha256: String,
    val passed: Boolean,
    val artifacts: List<Verdict>,
    val apps: List<AppVerdict>,
    val targets: List<TargetVerdict>,
)

internal fun verdicts(fields: Fields) =
    Verdicts(
        manifestSha256 = fields.required("manifest_sha256") { sha256() },
        passed = fields.required("passed") { flag() },
        artifacts = fields.required("artifacts") { list { fields("Verdict", ::verdict) } },
        apps = fields.optional("apps", emptyList()) { list { fields("AppVerdict", ::appVerdict) } },
        targets = fields.optional("targets", emptyList()) { list { fields("TargetVerdict", ::targetVerdict) } },
    )

private fun targetVerdict(fields: Fields) =
    TargetVerdict(
        target = fields.required("target") { text() },
        runner = fields.required("runner") { text() },
        title = fields.required("title") { text() },
        name = fields.required("name") { text() },
        unit = fields.required("unit") { choice(ComputeUnit.entries) },
        passed = fields.required("passed") { flag() },
        reason = fields.required("reason") { text() },
        images = fields.optional("images", 0) { int() },
        snrDb = fields.figure("snr_db"),
        agreement = fields.figure("agreement"),
        equal = fields.figure("equal"),
        near = fields.figure("near"),
        note = fields.optional("note", "") { text() },
    )

private fun appVerdict(fields: Fields) =
    AppVerdict(
        app = fields.required("app") { text() },
        device = fields.required("device") { text() },
        system = fields.required("system") { text() },
        name = fields.required("name") { text() },
        unit = fields.required("unit") { choice(ComputeUnit.entries) },
        proof = fields.optional("proof", null) { orNull { choice(Proof.entries) } },
        passed = fields.nullable("passed") { flag() },
        reason = fields.required("reason") { text() },
        images = fields.optional("images", 0) { int() },
        snrDb = fields.figure("snr_db"),
        agreement = fields.figure("agreement"),
        times = fields.optional("times", null) { orNull { fields("Times", ::times) } },
        slower = fields.optional("slower", false) { flag() },
        delegates = fields.optional("delegates", emptyList()) { list { text() } },
    )

private fun times(fields: Fields) =
    Times(
        load = fields.required("load") { number() },
        first = fields.required("first") { number() },
        steady = fields.required("steady") { number() },
    )

private fun verdict(fields: Fields) =
    Verdict(
        name = fields.required("name") { text() },
        format = fields.required("format") { text() },
        precision = fields.required("precision") { text() },
        unit = fields.required("unit") { choice(ComputeUnit.entries) },
        runner = fields.nullable("runner") { text() },
        passed = fields.nullable("passed") { flag() },
        inconclusive = fields.optional("inconclusive", false) { flag() },
        reason = fields.required("reason") { text() },
        cases = fields.required("cases") { int() },
        roles = fields.optional("roles", emptyList()) { list { fields("RoleFigures", ::roleFigures) } },
        agreement = fields.figure("agreement"),
        meanIou = fields.figure("mean_iou"),
        scoreDifference = fields.figure("score_difference"),
        stepsApart = fields.figure("steps_apart"),
        largestStepsApart = fields.figure("largest_steps_apart"),
        metric = fields.optional("metric", null) { orNull { fields("MetricFigures", ::metricFigures) } },
        bytes = fields.required("bytes") { whole() },
        bytesRatio = fields.figure("bytes_ratio"),
        warnings = fields.optional("warnings", emptyList()) { list { fields("FaultWarning", ::faultWarning) } },
    )

private fun faultWarning(fields: Fields) =
    FaultWarning(
        id = fields.required("id") { text() },
        title = fields.required("title") { text() },
        severity = fields.required("severity") { choice(Severity.entries) },
        units = fields.required("units") { list { choice(ComputeUnit.entries) } },
        versions = fields.required("versions") { text() },
        operators = fields.required("operators") { list { text() } },
        count = fields.required("count") { int() },
        remedy = fields.required("remedy") { text() },
        source = fields.required("source") { text() },
    )

private fun Fields.figure(name: String): Double? = optional(name, null) { orNull { number() } }

private fun roleFigures(fields: Fields) =
    RoleFigures(
        role = fields.required("role") { text() },
        exact = fields.required("exact") { flag() },
        snrDb = fields.nullable("snr_db") { number() },
        worstDb = fields.nullable("worst_db") { number() },
        answeringDb = fields.figure("answering_db"),
        largestError = fields.required("largest_error") { number() },
    )

private fun metricFigures(fields: Fields) =
    MetricFigures(
        name = fields.required("name") { text() },
        images = fields.required("images") { int() },
        server = fields.required("server") { number() },
        artifact = fields.required("artifact") { number() },
        drop = fields.required("drop") { number() },
        dropLow = fields.required("drop_low") { number() },
        dropHigh = fields.required("drop_high") { number() },
    )
