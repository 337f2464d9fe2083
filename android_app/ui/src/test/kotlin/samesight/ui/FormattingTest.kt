package samesight.ui

import kotlin.test.assertContains
import kotlin.test.assertEquals
import org.junit.jupiter.api.Test
import samesight.contract.ComputeUnit
import samesight.contract.Proof
import samesight.contract.Role
import samesight.contract.Times
import samesight.contract.UnitRun
import samesight.engine.Trial

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

    @Test
    fun `a trial tells how it was asked for, and why not otherwise`() {
        val notes = listOf("in float32", "in float16: output 'logits' is 31.0 dB from the server model's")
        val trial = Trial(ComputeUnit.GPU, Proof.CERTAIN, Times(100.0, 9.0, 2.0), notes = notes)
        val expected = "2.0 ms a run · first 9.0 ms · load 100 ms · in float32 · in float16: output 'logits' is 31.0 dB"
        assertContains(figures(trial), expected)
    }

    @Test
    fun `what was made for one unit alone is called by it`() {
        val artifact = ArtifactChoice("a.tflite", "LiteRT", "fp16", null)
        assertEquals("fp16 · LiteRT", name(artifact))
        assertEquals("fp16 · LiteRT · NPU", name(artifact.copy(unit = ComputeUnit.NPU)))
    }
}
