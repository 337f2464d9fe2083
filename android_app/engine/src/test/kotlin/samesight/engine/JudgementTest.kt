package samesight.engine

import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.junit.jupiter.api.Test
import samesight.contract.CaseRun
import samesight.contract.ComputeUnit
import samesight.contract.ComputeUnit.CPU
import samesight.contract.ComputeUnit.GPU
import samesight.contract.GATES
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.UnitRun
import samesight.contract.gateFor
import samesight.contract.sha256

private val artifacts = listOf("a", "b").map { artifact().copy(name = it) }

class JudgementTest {
    private fun run(unit: ComputeUnit, decibels: Double? = null, tensors: (ByteArray) -> ByteArray = { it }) =
        UnitRun(
            "a",
            unit,
            snrDb = mapOf(Role.LOGITS to decibels),
            cases = cases.map { CaseRun(it.id, "rgb", sha256(tensors(it.tensor)), emptyList()) },
        )

    private fun refused(unit: ComputeUnit, artifact: String = "a") = UnitRun(artifact, unit, refusal = "no $unit here")

    @Test
    fun `a unit that refuses is no failure where another runs it`() {
        assertEquals(emptyList(), judge(listOf(run(CPU), refused(GPU)), cases, artifacts).failures)
    }

    @Test
    fun `an artifact that no unit runs is a failure and named, also where nothing else ran`() {
        val all = listOf(refused(CPU), refused(GPU))
        assertEquals(listOf("a: no unit runs it; no CPU here"), judge(all, cases, artifacts).failures)
        assertEquals(listOf("b: no unit runs it; no GPU here"), judge(listOf(run(CPU), refused(GPU, "b")), cases, artifacts).failures)
    }

    @Test
    fun `a run that differs is named`() {
        val other = run(GPU) { tensor -> tensor.copyOf().also { it[0]++ } }
        assertEquals(listOf("a on the GPU differs"), judge(listOf(run(CPU), other), cases, artifacts).failures)
    }

    @Test
    fun `noise over all cases is a difference, however the first cases were`() {
        assertEquals(emptyList(), judge(listOf(run(CPU, 80.1)), cases, artifacts).failures)
        assertEquals(listOf("a on the CPU differs"), judge(listOf(run(CPU, 79.9)), cases, artifacts).failures)
        assertEquals(listOf("a on the CPU differs"), judge(listOf(run(CPU, -200.0)), cases, artifacts).failures)
        assertEquals(emptyList(), judge(listOf(run(GPU, 40.1)), cases, artifacts).failures)
        assertEquals(listOf("a on the GPU differs"), judge(listOf(run(GPU, 39.9)), cases, artifacts).failures)
    }

    @Test
    fun `every precision is held to its own gate, which can be missed`() {
        for (precision in GATES.keys) {
            val artifacts = listOf(artifact().copy(name = "a", precision = precision))
            for (unit in ComputeUnit.entries) {
                val gate = gateFor(precision, unit).snrDb
                assertEquals(emptyList(), judge(listOf(run(unit, gate)), cases, artifacts).failures)
                val below = judge(listOf(run(unit, gate - 1e-9)), cases, artifacts).failures
                assertEquals(listOf("a on the $unit differs"), below)
            }
        }
    }

    @Test
    fun `a precision without a gate is not judged, but may be refused`() {
        val artifacts = listOf(artifact().copy(name = "a", precision = "int4"))
        val error = assertFailsWith<SamesightError> { judge(listOf(run(CPU)), cases, artifacts) }
        assertContains(error.message, "precision 'int4' has no gate here")
        assertEquals(listOf("a: no unit runs it; no CPU here"), judge(listOf(refused(CPU)), cases, artifacts).failures)
    }

    @Test
    fun `nothing that ran proves nothing`() {
        assertEquals(listOf("no artifact of this bundle runs in this app"), judge(emptyList(), cases, artifacts).failures)
    }
}
