package samesight.contract

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

class GatesTest {
    @Test
    fun `a precision has its own gate on the CPU`() {
        for ((precision, gate) in GATES) assertEquals(gate, gateFor(precision, ComputeUnit.CPU))
    }

    @Test
    fun `units that compute in halves ask of fp32 what is asked of fp16`() {
        for (unit in listOf(ComputeUnit.GPU, ComputeUnit.NPU)) {
            assertEquals(GATES["fp16"], gateFor("fp32", unit))
            for (precision in GATES.keys - "fp32") assertEquals(GATES[precision], gateFor(precision, unit))
        }
    }

    @Test
    fun `an unknown precision is refused with those that are known`() {
        val error = assertFailsWith<SamesightError> { gateFor("int4", ComputeUnit.CPU) }
        assertEquals(
            "precision 'int4' has no gate here " +
                "(known: fp32, fp16, int8, dynamic-int8, int8-weights, palette6, palette4, w8a16, int4-weights, mixed); " +
                "update samesight",
            error.message,
        )
    }
}
