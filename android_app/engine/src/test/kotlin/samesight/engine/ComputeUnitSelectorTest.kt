package samesight.engine

import java.util.concurrent.CancellationException
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.jupiter.api.Test
import samesight.contract.ComputeUnit
import samesight.contract.ComputeUnit.CPU
import samesight.contract.ComputeUnit.GPU
import samesight.contract.ComputeUnit.NPU
import samesight.contract.Proof
import samesight.contract.SamesightError
import samesight.contract.Times

private const val MS = 1_000_000L

class ComputeUnitSelectorTest {
    private val clock = Clock()

    private fun opener(vararg units: Pair<ComputeUnit, Behaviour>) = FakeOpener(mapOf(*units), clock)

    private fun opener(units: Map<ComputeUnit, Behaviour>, others: Map<Pair<ComputeUnit, Mode>, Behaviour>) =
        FakeOpener(units, clock, others)

    private fun select(opener: FakeOpener, request: Request = request()) = place(request, opener) { clock.now }

    @Test
    fun `a phone with the CPU alone says why the others are refused`() {
        val opener = opener(CPU to Behaviour(steady = 3 * MS, first = 9 * MS, load = 40 * MS))
        val placement = select(opener)
        assertEquals(CPU, placement.chosen.unit)
        assertEquals(Times(40.0, 9.0, 3.0), placement.chosen.times)
        assertEquals(listOf("status 504 for NPU", "status 504 for GPU", null), placement.trials.map { it.refusal })
        assertEquals(1, opener.inMemory)
    }

    @Test
    fun `the highest unit with the right outputs is taken`() {
        val placement = select(opener(CPU to Behaviour(), GPU to Behaviour(steady = MS / 2)))
        assertEquals(GPU to Proof.CERTAIN, placement.chosen.unit to placement.chosen.proof)
        assertEquals(listOf(NPU, GPU, CPU), placement.trials.map { it.unit })
    }

    @Test
    fun `an NPU that gives wrong outputs is refused`() {
        val wrong = Behaviour(steady = 1000) { tensor -> logits(tensor).apply { reverse() } }
        val placement = select(opener(NPU to wrong, CPU to Behaviour()))
        assertEquals(CPU, placement.chosen.unit)
        assertContains(placement.trials[0].refusal.orEmpty(), "dB from the server model's")
    }

    @Test
    fun `an output that never changes is refused`() {
        val constant = logits(cases[0].tensor)
        val placement = select(opener(GPU to Behaviour { constant.copyOf() }, CPU to Behaviour()))
        assertEquals(CPU, placement.chosen.unit)
    }

    @Test
    fun `a GPU that gives NaN is refused`() {
        val placement = select(opener(GPU to Behaviour { FloatArray(2) { Float.NaN } }, CPU to Behaviour()))
        assertEquals(CPU, placement.chosen.unit)
        assertContains(placement.trials.first { it.unit == GPU }.refusal.orEmpty(), "not finite")
    }

    @Test
    fun `a slower GPU is passed over and shown`() {
        val placement = select(opener(GPU to Behaviour(steady = 3 * MS), CPU to Behaviour()))
        assertEquals(CPU, placement.chosen.unit)
        val gpu = placement.trials.first { it.unit == GPU }
        assertTrue(gpu.slower)
        assertNull(gpu.refusal)
        assertContains(gpu.toString(), "3.00 ms a run")
        assertContains(gpu.toString(), "slower than the CPU")
    }

    @Test
    fun `a slower GPU that is asked for alone is taken and shown so`() {
        val placement = select(opener(GPU to Behaviour(steady = 3 * MS), CPU to Behaviour()), request(GPU))
        assertEquals(GPU, placement.chosen.unit)
        assertTrue(placement.chosen.slower)
    }

    @Test
    fun `an NPU that could be the CPU is never certain`() {
        val silent = Behaviour(steady = MS, certain = false, operations = 2_000_000)
        val units = arrayOf(NPU to silent, CPU to Behaviour(steady = MS))
        val placement = select(opener(*units), request(NPU))
        assertEquals(Proof.REQUESTED, placement.chosen.proof)
        assertContains(placement.chosen.toString(), "requested, not proven")
        // Where it is as fast as the CPU, the CPU is what it says.
        assertEquals(CPU, select(opener(*units)).chosen.unit)
    }

    @Test
    fun `an NPU that may be the CPU is taken where nothing proven is faster`() {
        val unsure = Behaviour(steady = 8 * MS, certain = false)
        val faster = opener(NPU to unsure, CPU to Behaviour(steady = 10 * MS))
        assertEquals(NPU to Proof.REQUESTED, select(faster).chosen.run { unit to proof })
        assertEquals(listOf(CPU, NPU, NPU), faster.opened)
        assertEquals(1 to 1, faster.inMemory to faster.mostInMemory)
        val alone = opener(NPU to unsure)
        assertEquals(NPU, select(alone).chosen.unit)
        assertEquals(CPU, select(opener(NPU to unsure, CPU to Behaviour(steady = 8 * MS))).chosen.unit)
    }

    @Test
    fun `an NPU that refuses a part is tried with the CPU beside it, after all that run by themselves`() {
        val shared = mapOf((NPU to Mode.WITH_CPU) to Behaviour(steady = 2 * MS, certain = false))
        val cpu = CPU to Behaviour(steady = 10 * MS)
        val withGpu = opener(mapOf(cpu, GPU to Behaviour(steady = 5 * MS)), shared)
        assertEquals(GPU, select(withGpu).chosen.unit)
        assertFalse(NPU to Mode.WITH_CPU in withGpu.asked)
        val without = select(opener(mapOf(cpu), shared))
        assertEquals(Triple(NPU, Mode.WITH_CPU, Proof.REQUESTED), without.chosen.run { Triple(unit, mode, proof) })
        assertEquals(listOf("with the CPU", "alone refused: status 504 for NPU"), without.chosen.notes)
        assertEquals(listOf(NPU, GPU, CPU), without.trials.map { it.unit })
        assertContains(without.chosen.toString(), "alone refused: status 504 for NPU")
    }

    @Test
    fun `an NPU that ran by itself and missed its gate is not tried with the CPU beside it`() {
        val shared = mapOf((NPU to Mode.WITH_CPU) to Behaviour(steady = MS, certain = false))
        val opener = opener(mapOf(NPU to Behaviour { FloatArray(2) }, CPU to Behaviour()), shared)
        assertEquals(CPU, select(opener).chosen.unit)
        assertFalse(NPU to Mode.WITH_CPU in opener.asked)
    }

    @Test
    fun `a GPU that is too coarse in float16 is used in float32`() {
        for (coarse in listOf(FloatArray(2), FloatArray(2) { Float.POSITIVE_INFINITY })) {
            val half = Behaviour(steady = MS / 4) { coarse.copyOf() }
            val full = Behaviour(steady = MS / 2)
            val opener = opener(mapOf(GPU to half, CPU to Behaviour()), mapOf((GPU to Mode.FLOAT32) to full))
            val chosen = select(opener).chosen
            assertEquals(Triple(GPU, Mode.FLOAT32, Proof.CERTAIN), chosen.run { Triple(unit, mode, proof) })
            assertEquals("in float32", chosen.notes[0])
            assertContains(chosen.notes[1], "in float16: ")
            assertEquals(0.5, chosen.times?.steady)
            assertEquals(1, opener.mostInMemory)
        }
    }

    @Test
    fun `a GPU that is wrong in float32 too, or refuses the file, is refused once`() {
        val wrong = Behaviour { FloatArray(2) }
        val both = opener(mapOf(GPU to wrong, CPU to Behaviour()), mapOf((GPU to Mode.FLOAT32) to wrong))
        val refusal = select(both).trials.first { it.unit == GPU }.refusal.orEmpty()
        assertContains(refusal, Regex("in float16: .*dB.*; in float32: .*dB"))
        val refusing = opener(mapOf(CPU to Behaviour()), mapOf((GPU to Mode.FLOAT32) to wrong))
        assertEquals("status 504 for GPU", select(refusing).trials.first { it.unit == GPU }.refusal)
        assertFalse(GPU to Mode.FLOAT32 in refusing.asked)
    }

    @Test
    fun `a unit is slower than the CPU by a tenth, not by how two runs differ`() {
        fun slower(gpu: Long) =
            select(opener(GPU to Behaviour(steady = gpu), CPU to Behaviour(steady = 10 * MS)), request(GPU)).chosen.slower
        assertEquals(listOf(false, false, true), listOf(10 * MS, 11 * MS, 11 * MS + 1000).map(::slower))
    }

    @Test
    fun `an NPU that may be the CPU never keeps a proven GPU from being used`() {
        val silent = Behaviour(steady = 10 * MS, certain = false, operations = 2_000_000)
        val opener = opener(NPU to silent, GPU to Behaviour(steady = 2 * MS), CPU to Behaviour(steady = 10 * MS))
        assertEquals(GPU to Proof.CERTAIN, select(opener).chosen.run { unit to proof })
    }

    @Test
    fun `time tells on a large network only`() {
        fun proofOf(operations: Long?, npu: Long): Proof? {
            val unsure = Behaviour(steady = npu, certain = false, operations = operations)
            return select(opener(NPU to unsure, CPU to Behaviour(steady = 10 * MS)), request(NPU)).chosen.proof
        }
        assertEquals(Proof.TIMING, proofOf(100_000_000, 5 * MS))
        assertEquals(Proof.REQUESTED, proofOf(100_000_000, 5 * MS + 1))
        assertEquals(Proof.REQUESTED, proofOf(99_999_999, MS))
        assertEquals(Proof.REQUESTED, proofOf(null, MS))
    }

    @Test
    fun `an artifact that the CPU cannot run is placed on the NPU`() {
        val placement = select(opener(NPU to Behaviour()))
        assertEquals(NPU to Proof.CERTAIN, placement.chosen.unit to placement.chosen.proof)
        assertFalse(placement.chosen.slower)
        assertEquals("status 504 for CPU", placement.trials.last().refusal)
    }

    @Test
    fun `without any unit every refusal is told`() {
        val error = assertFailsWith<SamesightError> { select(opener()) }
        for (unit in listOf(NPU, GPU, CPU)) assertContains(error.message, "$unit: status 504 for $unit")
    }

    @Test
    fun `too little memory and missing libraries are refusals`() {
        val full = Behaviour(opening = { throw OutOfMemoryError("heap") })
        val missing = Behaviour(opening = { throw UnsatisfiedLinkError("no litert_jni") })
        val opener = opener(NPU to full, GPU to missing, CPU to Behaviour())
        val placement = select(opener)
        assertEquals(CPU, placement.chosen.unit)
        assertContains(placement.trials[0].refusal.orEmpty(), "not enough memory: heap")
        assertContains(placement.trials[1].refusal.orEmpty(), "no litert_jni")
        assertEquals(1, opener.inMemory)
    }

    @Test
    fun `memory that ends in a run is a refusal and the engine is closed`() {
        val opener = opener(GPU to Behaviour { throw OutOfMemoryError("outputs") }, CPU to Behaviour())
        assertEquals(CPU, select(opener).chosen.unit)
        assertEquals(1, opener.inMemory)
    }

    @Test
    fun `one model is in memory at a time`() {
        val opener = opener(NPU to Behaviour { FloatArray(2) }, GPU to Behaviour(steady = 9 * MS), CPU to Behaviour())
        select(opener)
        assertEquals(listOf(CPU, NPU, GPU, CPU), opener.opened)
        assertEquals(1, opener.mostInMemory)
    }

    @Test
    fun `the CPU alone is loaded once`() {
        val opener = opener(CPU to Behaviour())
        select(opener, request(CPU))
        assertEquals(listOf(CPU), opener.opened)
    }

    @Test
    fun `a single golden case judges nothing`() {
        val one = Request(sums, spec, cases.take(1))
        assertContains(assertFailsWith<SamesightError> { select(opener(CPU to Behaviour()), one) }.message, "2 golden")
    }

    @Test
    fun `cancelling ends after any call and leaves nothing in memory`() {
        for (last in 1..12) {
            val cancellation = Cancellation()
            var calls = 0
            val counting =
                Behaviour { tensor ->
                    if (++calls == last) cancellation.cancel()
                    logits(tensor)
                }
            val opener = opener(GPU to counting, CPU to Behaviour())
            val thrown = runCatching { place(request(), opener, cancellation, null) { clock.now } }.exceptionOrNull()
            assertIs<CancellationException>(thrown)
            assertEquals(last, calls)
            assertEquals(0, opener.inMemory)
        }
    }
}
