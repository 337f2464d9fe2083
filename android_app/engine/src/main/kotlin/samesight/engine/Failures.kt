package samesight.engine

import samesight.contract.GoldenCase
import samesight.contract.UnitRun

/**
 * What is wrong with the runs of a self-test, a sentence each; empty where they match the server model.
 *
 * A unit that refuses fails nothing, but an artifact that no unit runs does, as for `samesight verify`.
 */
fun failures(runs: List<UnitRun>, cases: List<GoldenCase>): List<String> {
    if (runs.isEmpty()) return listOf("no artifact of this bundle runs in this app")
    val differing = runs.filter { it.refusal == null && !met(it, cases) }
    val idle = runs.groupBy { it.artifact }.filterValues { all -> all.all { it.refusal != null } }
    return differing.map { "${it.artifact} on the ${it.unit} differs" } +
        idle.map { (artifact, refused) -> "$artifact: no unit runs it; ${refused.first().refusal}" }
}
