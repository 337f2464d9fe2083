package samesight.engine

import samesight.contract.Artifact
import samesight.contract.GoldenCase
import samesight.contract.SamesightError
import samesight.contract.UnitRun
import samesight.contract.gateFor
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
    val passed = runs.map { passes(it, tensors, precisions.getValue(it.artifact)) }
    val differing = runs.filterIndexed { i, run -> run.refusal == null && !passed[i] }
    val idle = runs.groupBy { it.artifact }.filterValues { all -> all.all { it.refusal != null } }
    return Judgement(
        passed,
        differing.map { "${it.artifact} on the ${it.unit} differs" } +
            idle.map { (artifact, refused) -> "$artifact: no unit runs it; ${refused.first().refusal}" },
    )
}

private fun passes(run: UnitRun, tensors: Map<String, String>, precision: String): Boolean {
    if (run.refusal != null || run.cases.isEmpty() || run.snrDb.isEmpty()) return false
    val least = gateFor(precision, run.unit).snrDb
    return run.cases.all { it.tensorSha256 == tensors.getValue(it.id) } &&
        run.snrDb.values.all { it == null || it >= least }
}
