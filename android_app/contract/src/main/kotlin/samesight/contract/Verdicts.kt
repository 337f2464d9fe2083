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

/**
 * One artifact against the server model.
 *
 * @property passed null where the server could not run the artifact; [reason] says why.
 * @property inconclusive the interval of the metric's drop crosses the gate.
 * @property quantaApart mean distance of an int8 artifact's outputs from those of the nearest other, in quanta.
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
    val quantaApart: Double?,
    val largestQuantaApart: Double?,
    val metric: MetricFigures?,
    val bytes: Long,
    val bytesRatio: Double?,
) {
    /** The lowest pooled ratio over the raw outputs; null where all are exact or nothing ran. */
    val snrDb: Double?
        get() = roles.mapNotNull { it.snrDb }.minOrNull()
}

/** All verdicts on the bundle whose manifest has this hash; for another manifest they mean nothing. */
data class Verdicts(val manifestSha256: String, val passed: Boolean, val artifacts: List<Verdict>)

internal fun verdicts(fields: Fields) =
    Verdicts(
        manifestSha256 = fields.required("manifest_sha256") { sha256() },
        passed = fields.required("passed") { flag() },
        artifacts = fields.required("artifacts") { list { fields("Verdict", ::verdict) } },
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
        quantaApart = fields.figure("quanta_apart"),
        largestQuantaApart = fields.figure("largest_quanta_apart"),
        metric = fields.optional("metric", null) { orNull { fields("MetricFigures", ::metricFigures) } },
        bytes = fields.required("bytes") { whole() },
        bytesRatio = fields.figure("bytes_ratio"),
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
