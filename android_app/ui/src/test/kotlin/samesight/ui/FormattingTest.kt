package samesight.ui

import kotlin.test.assertEquals
import org.junit.jupiter.api.Test
import samesight.contract.ComputeUnit
import samesight.contract.Role
import samesight.contract.Times
import samesight.contract.UnitRun

class FormattingTest {
    @Test
    fun `a run of the self-test tells all its times and its delegates`() {
        val run =
            UnitRun(
                "a.pte",
                ComputeUnit.CPU,
                times = Times(load = 120.4, first = 9.04, steady = 1.5),
                slower = true,
                snrDb = mapOf(Role.LOGITS to 31.7, Role.BOXES to null),
                delegates = listOf("XnnpackBackend"),
            )
        val expected = "32 dB · slower than the CPU · 1.5 ms a run · first 9.0 ms · load 120 ms · XnnpackBackend"
        assertEquals(expected, figures(run))
    }
}
