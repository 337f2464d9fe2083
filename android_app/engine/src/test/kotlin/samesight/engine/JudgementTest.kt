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

    private fun missed(unit: ComputeUnit, has: String, gate: String) =
        "a on the $unit: output logits has $has dB against the server model, its gate is $gate dB"

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
        val more = if (cases.size > 1) " and of ${cases.size - 1} more" else ""
        val sentence = "a on the GPU: the input tensor of case ${cases[0].id} (rgb)$more is not the golden one"
        val judgement = judge(listOf(run(CPU), other), cases, artifacts)
        assertEquals(listOf(sentence) to listOf(true, false), judgement.failures to judgement.passed)
        val empty = UnitRun("a", CPU, snrDb = mapOf(Role.LOGITS to null))
        assertEquals(listOf("a on the CPU: no case was compared"), judge(listOf(empty), cases, artifacts).failures.take(1))
    }

    @Test
    fun `every tensor and output that differs is in the sentence`() {
        val ratios = mapOf(Role.LOGITS to 31.98, Role.BOXES to null, Role.OBJECTNESS to 12.0)
        val wrong = UnitRun(
            "a",
            GPU,
            snrDb = ratios,
            cases = cases.take(1).map { CaseRun(it.id, "nv21", sha256(byteArrayOf(1)), emptyList()) },
        )
        assertEquals(
            listOf(
                "a on the GPU: the input tensor of case ${cases[0].id} (nv21) is not the golden one; " +
                    "output logits has 31.9 dB against the server model, its gate is 40 dB; " +
                    "output objectness has 12 dB against the server model, its gate is 40 dB",
            ),
            judge(listOf(run(CPU), wrong), cases, artifacts).failures.take(1),
        )
    }

    @Test
    fun `noise over all cases is a difference, however the first cases were`() {
        assertEquals(emptyList(), judge(listOf(run(CPU, 80.1)), cases, artifacts).failures)
        assertEquals(listOf(missed(CPU, "79.9", "80")), judge(listOf(run(CPU, 79.99)), cases, artifacts).failures)
        assertEquals(listOf(missed(CPU, "-200", "80")), judge(listOf(run(CPU, -200.0)), cases, artifacts).failures)
        assertEquals(emptyList(), judge(listOf(run(GPU, 40.1)), cases, artifacts).failures)
        assertEquals(listOf(missed(GPU, "39.9", "40")), judge(listOf(run(GPU, 39.9)), cases, artifacts).failures)
    }

    @Test
    fun `every precision is held to its own gate, which can be missed`() {
        for (precision in GATES.keys) {
            val artifacts = listOf(artifact().copy(name = "a", precision = precision))
            for (unit in ComputeUnit.entries) {
                val gate = gateFor(precision, unit).snrDb
                assertEquals(emptyList(), judge(listOf(run(unit, gate)), cases, artifacts).failures)
                val below = judge(listOf(run(unit, gate - 1e-9)), cases, artifacts).failures
                assertContains(below.single(), "a on the $unit: output logits has ")
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
