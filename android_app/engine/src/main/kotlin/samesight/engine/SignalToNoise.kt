package samesight.engine

import java.util.Locale
import kotlin.math.log10
import samesight.contract.ComputeUnit
import samesight.contract.GoldenCase
import samesight.contract.ModelSpec
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.checkOutputs
import samesight.contract.gateFor

private const val SILENCE_DB = -200.0

/**
 * Compares raw outputs with the server model's.
 *
 * @throws SamesightError a wrong shape, values that are not finite, a precision without a gate, or too much noise; so the
 *     unit is not to be used.
 */
internal fun checkSignalToNoise(
    cases: List<GoldenCase>,
    outputs: List<Map<Role, Tensor>>,
    spec: ModelSpec,
    precision: String,
    unit: ComputeUnit,
) {
    outputs.forEach { checkOutputs(it, spec) }
    val least = gateFor(precision, unit).snrDb
    for (role in spec.roles) {
        val ratio = decibels(cases.map { it.outputs.getValue(role) }, outputs.map { it.getValue(role) })
        if (ratio < least) {
            throw SamesightError(
                "$unit: output '${role.name.lowercase()}' is %.1f dB from the server model's, at least %.0f are asked for; "
                    .format(Locale.ROOT, ratio, least) + "take another unit",
            )
        }
    }
}

/** As Python's: the signal is the reference's energy about its mean per channel, so that a constant scores 0 or less. */
internal fun decibels(expected: List<Tensor>, actual: List<Tensor>): Double {
    val channels = expected[0].shape.last()
    val sums = DoubleArray(channels)
    var count = 0
    for (tensor in expected) {
        tensor.values.forEachIndexed { i, value -> sums[i % channels] += value.toDouble() }
        count += tensor.values.size / channels
    }
    var signal = 0.0
    var noise = 0.0
    for ((reference, output) in expected.zip(actual)) {
        for (i in reference.values.indices) {
            val value = reference.values[i].toDouble()
            val about = value - sums[i % channels] / count
            val error = output.values[i] - value
            signal += about * about
            noise += error * error
        }
    }
    return when {
        noise == 0.0 -> Double.POSITIVE_INFINITY
        !noise.isFinite() || signal <= 0.0 -> SILENCE_DB
        else -> maxOf(SILENCE_DB, 10 * log10(signal / noise))
    }
}
