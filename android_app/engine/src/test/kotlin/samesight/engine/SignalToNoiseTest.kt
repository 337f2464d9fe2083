package samesight.engine

import kotlin.math.pow
import kotlin.math.sqrt
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.junit.jupiter.api.Test
import samesight.contract.ComputeUnit
import samesight.contract.ComputeUnit.CPU
import samesight.contract.ComputeUnit.GPU
import samesight.contract.GATES
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.gateFor

class SignalToNoiseTest {
    private val expected = cases.map { it.outputs.getValue(Role.LOGITS) }

    /** Outputs with about this ratio: the noise of each case is a share of its signal. */
    private fun outputs(ratio: Double): List<Map<Role, Tensor>> {
        val means = FloatArray(2) { side -> expected.map { it.values[side] }.average().toFloat() }
        val share = sqrt(10.0.pow(-ratio / 10)).toFloat()
        return expected.map { tensor ->
            val values = FloatArray(2) { tensor.values[it] + (tensor.values[it] - means[it]) * share }
            mapOf(Role.LOGITS to Tensor(tensor.shape, values))
        }
    }

    private fun check(ratio: Double, precision: String, unit: ComputeUnit) =
        checkSignalToNoise(cases, outputs(ratio), spec, precision, unit)

    @Test
    fun `the outputs of these tests have the ratio that is asked for`() {
        for (ratio in listOf(10.0, 40.0, 80.0)) {
            assertEquals(ratio, decibels(expected, outputs(ratio).map { it.getValue(Role.LOGITS) }), 0.1)
        }
    }

    @Test
    fun `every precision is held to its own gate on every unit`() {
        for (precision in GATES.keys) {
            for (unit in ComputeUnit.entries) {
                val gate = gateFor(precision, unit).snrDb
                check(gate + 0.2, precision, unit)
                val error = assertFailsWith<SamesightError> { check(gate - 0.2, precision, unit) }
                assertContains(error.message, "$unit: output 'logits' is ${gate - 0.2} dB from the server model's")
                assertContains(error.message, "at least %.0f are asked for".format(gate))
            }
        }
    }

    @Test
    fun `a constant output is below every gate`() {
        val constant = cases.map { cases[0].outputs }
        for (precision in GATES.keys) {
            assertFailsWith<SamesightError> { checkSignalToNoise(cases, constant, spec, precision, CPU) }
        }
    }

    @Test
    fun `a precision without a gate is refused, however good its outputs are`() {
        val exact = cases.map { it.outputs }
        val error = assertFailsWith<SamesightError> { checkSignalToNoise(cases, exact, spec, "int4", GPU) }
        assertContains(error.message, "precision 'int4' has no gate here")
    }
}
