package samesight.engine

import samesight.contract.Artifact
import samesight.contract.GoldenCase
import samesight.contract.UnitRun
import samesight.contract.sha256

/**
 * What is wrong with the runs of a self-test, a sentence each; empty where they match the server model.
 *
 * A unit that refuses fails nothing, but an artifact that no unit runs does, as for `samesight verify`.
 */
fun failures(runs: List<UnitRun>, cases: List<GoldenCase>, artifacts: List<Artifact>): List<String> {
    if (runs.isEmpty()) return listOf("no artifact of this bundle runs in this app")
    val differing = runs.filter { it.refusal == null && !met(it, cases, artifacts) }
    val idle = runs.groupBy { it.artifact }.filterValues { all -> all.all { it.refusal != null } }
    return differing.map { "${it.artifact} on the ${it.unit} differs" } +
        idle.map { (artifact, refused) -> "$artifact: no unit runs it; ${refused.first().refusal}" }
}

/**
 * Whether a run made every golden tensor to the byte, and outputs near enough to the server model's over all cases.
 *
 * Answers are compared by `samesight verify --device-results`, which has the server's.
 */
fun met(run: UnitRun, cases: List<GoldenCase>, artifacts: List<Artifact>): Boolean {
    if (run.refusal != null || run.cases.isEmpty() || run.snrDb.isEmpty()) return false
    val expected = cases.associateBy { it.id }
    val least = leastDecibels(artifacts.first { it.name == run.artifact }.precision)
    return run.cases.all { it.tensorSha256 == sha256(expected.getValue(it.id).tensor) } &&
        run.snrDb.values.all { it == null || it >= least }
}
