package samesight.engine

import java.util.Locale
import kotlin.math.floor
import samesight.contract.Artifact
import samesight.contract.GoldenCase
import samesight.contract.SamesightError
import samesight.contract.UnitRun
import samesight.contract.gateFor
import samesight.contract.label
import samesight.contract.sha256

/**
 * What the runs of a self-test are worth.
 *
 * @property passed of each run: it made every golden tensor to the byte, and outputs near enough to the server model's
 *     over all cases. Answers are compared by `samesight verify --device-results`, which has the server's.
 * @property failures what is wrong of all runs, a sentence each; empty where they match the server model. A unit that
 *     refuses fails nothing, but an artifact that no unit runs does, as for `samesight verify`.
 */
class Judgement(val passed: List<Boolean>, val failures: List<String>)

/**
 * Judges the runs of a bundle with these cases and artifacts.
 *
 * @throws SamesightError an artifact that ran has a precision without a gate.
 */
fun judge(runs: List<UnitRun>, cases: List<GoldenCase>, artifacts: List<Artifact>): Judgement {
    if (runs.isEmpty()) return Judgement(emptyList(), listOf("no artifact of this bundle runs in this app"))
    val tensors = cases.associate { it.id to sha256(it.tensor) }
    val precisions = artifacts.associate { it.name to it.precision }
    val faults = runs.map { faults(it, tensors, precisions.getValue(it.artifact)) }
    val differing = runs.indices.filter { runs[it].refusal == null && faults[it].isNotEmpty() }
    val idle = runs.groupBy { it.artifact }.filterValues { all -> all.all { it.refusal != null } }
    return Judgement(
        runs.indices.map { runs[it].refusal == null && faults[it].isEmpty() },
        differing.map { "${runs[it].artifact} on the ${runs[it].unit}: ${faults[it].joinToString("; ")}" } +
            idle.map { (artifact, refused) -> "$artifact: no unit runs it; ${refused.first().refusal}" },
    )
}

/** What is wrong of a run: which tensor, which output and which gate. */
private fun faults(run: UnitRun, tensors: Map<String, String>, precision: String): List<String> {
    if (run.refusal != null) return emptyList()
    if (run.cases.isEmpty() || run.snrDb.isEmpty()) return listOf("no case was compared")
    val others = run.cases.filter { it.tensorSha256 != tensors.getValue(it.id) }
    val more = if (others.size > 1) " and of ${others.size - 1} more" else ""
    val tensor = others.firstOrNull()?.let { "the input tensor of case ${it.id} (${it.image})$more is not the golden one" }
    val least = gateFor(precision, run.unit).snrDb
    val outputs =
        run.snrDb.filterValues { it != null && it < least }.map { (role, ratio) ->
            "output ${role.label} has ${decibels(ratio)} dB against the server model, its gate is ${decibels(least)} dB"
        }
    return listOfNotNull(tensor) + outputs
}

/** One digit after the point, rounded down: what misses a gate is never shown as what meets it. */
private fun decibels(value: Double?): String {
    val tenths = floor(10 * (value ?: 0.0)).toLong()
    return if (tenths % 10 == 0L) "${tenths / 10}" else "%.1f".format(Locale.ROOT, tenths / 10.0)
}
