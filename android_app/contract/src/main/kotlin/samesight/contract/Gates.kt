package samesight.contract

/**
 * The least that an artifact of one precision must reach to ship.
 *
 * @property snrDb pooled signal-to-noise ratio of every raw output, in dB; the signal is the reference's energy about
 *     its mean per channel, so that a constant output scores 0 dB or less.
 * @property agreement share of answers that are the server model's (top-1; boxes of the same label and IoU >= [iou]).
 * @property iou what makes two boxes of the same label the same answer.
 * @property metricDrop the most that the task metric (0..1) may lose.
 */
data class Gate(val snrDb: Double, val agreement: Double, val iou: Double, val metricDrop: Double)

/** The gates by precision; `docs/parity.md` shows this table. */
val GATES: Map<String, Gate> =
    mapOf(
        "fp32" to Gate(snrDb = 80.0, agreement = 0.995, iou = 0.95, metricDrop = 0.002),
        "fp16" to Gate(snrDb = 40.0, agreement = 0.995, iou = 0.95, metricDrop = 0.002),
        "int8" to Gate(snrDb = 18.0, agreement = 0.98, iou = 0.8, metricDrop = 0.01),
        "dynamic-int8" to Gate(snrDb = 18.0, agreement = 0.98, iou = 0.8, metricDrop = 0.01),
        "int8-weights" to Gate(snrDb = 30.0, agreement = 0.99, iou = 0.8, metricDrop = 0.005),
        "palette6" to Gate(snrDb = 22.0, agreement = 0.98, iou = 0.8, metricDrop = 0.01),
        "palette4" to Gate(snrDb = 13.0, agreement = 0.96, iou = 0.8, metricDrop = 0.01),
        "w8a16" to Gate(snrDb = 30.0, agreement = 0.99, iou = 0.8, metricDrop = 0.005),
        "int4-weights" to Gate(snrDb = 13.0, agreement = 0.96, iou = 0.8, metricDrop = 0.01),
        "mixed" to Gate(snrDb = 18.0, agreement = 0.98, iou = 0.8, metricDrop = 0.01),
    )

/**
 * Int8 artifacts of one bundle come from one quantized program: the mean distance of their outputs, in steps of the
 * output, that is still due to the runtimes' rounding.
 */
const val STEPS_APART = 0.5

/**
 * The gate of an artifact of this precision on this unit: fp32 has that of fp16 on a GPU or an NPU, which compute in
 * halves.
 *
 * @throws SamesightError the precision is not known here.
 */
fun gateFor(precision: String, unit: ComputeUnit): Gate {
    val computed = if (precision == "fp32" && unit != ComputeUnit.CPU) "fp16" else precision
    return GATES[computed]
        ?: throw SamesightError(
            "precision ${quoted(precision)} has no gate here (known: ${GATES.keys.joinToString()}); update samesight",
        )
}
