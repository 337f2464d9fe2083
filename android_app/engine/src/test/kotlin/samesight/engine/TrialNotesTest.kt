package samesight.engine

import java.io.File
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import samesight.contract.ComputeUnit
import samesight.contract.ComputeUnit.CPU
import samesight.contract.ComputeUnit.GPU
import samesight.contract.ComputeUnit.NPU
import samesight.contract.SamesightError

private const val MS = 1_000_000L

/** What no code of ours catches: as far as the files can tell, the process is gone. */
private class ProcessEnds : Error()

class TrialNotesTest {
    @TempDir lateinit var folder: File
    private val clock = Clock()

    /** The notes as a new process finds them. */
    private fun notes(system: String = "app 1, LiteRT 2, phone:15", isInnocent: () -> Boolean = { false }) =
        TrialNotes(File(folder, "units"), system, isInnocent)

    private fun select(notes: TrialNotes, opener: Opener, request: Request = request()) =
        place(request, opener, notes = notes) { clock.now }

    private fun opener(vararg units: Pair<ComputeUnit, Behaviour>) = FakeOpener(mapOf(*units), clock)

    /**
     * A start of the app that ends while [unit] is tried. The files are put back as they were at that moment: an error
     * runs `finally`, and a crash does not.
     */
    private fun crash(unit: ComputeUnit, vararg others: Pair<ComputeUnit, Behaviour>) {
        val kept = File(folder, "kept")
        val crashing =
            Behaviour(opening = {
                File(folder, "units").copyRecursively(kept, overwrite = true)
                throw ProcessEnds()
            })
        assertFailsWith<ProcessEnds> { select(notes(), opener(*others, unit to crashing)) }
        File(folder, "units").deleteRecursively()
        assertTrue(kept.renameTo(File(folder, "units")))
    }

    @Test
    fun `a unit that ended the app is skipped at the next start, and that is said`() {
        crash(GPU, CPU to Behaviour())
        val opener = opener(GPU to Behaviour(steady = MS / 2), CPU to Behaviour())
        repeat(2) {
            val placement = select(notes(), opener)
            assertEquals(CPU, placement.chosen.unit)
            val refusal = placement.trials.first { it.unit == GPU }.refusal.orEmpty()
            assertContains(refusal, "the app ended while it was tried; it is skipped until")
            placement.engine.close()
        }
        assertTrue(GPU !in opener.opened)
        // Also where it is asked for alone: else a choice that is kept would end every start.
        assertContains(assertFailsWith<SamesightError> { select(notes(), opener, request(GPU)) }.message, "it is skipped")
        // Another artifact is another matter.
        val other = Request(ArtifactFile(artifact(), File("sums"), "1".repeat(64)), spec, cases)
        assertEquals(GPU, select(notes(), opener, other).chosen.unit)
    }

    @Test
    fun `a new version of the app, of a runtime or of the system tries again`() {
        crash(GPU, CPU to Behaviour())
        val opener = opener(GPU to Behaviour(steady = MS / 2), CPU to Behaviour())
        assertEquals(GPU, select(notes("app 1, LiteRT 2, phone:16"), opener).chosen.unit)
        assertEquals(1, File(folder, "units").list()?.size)
    }

    @Test
    fun `an app that ended for another reason blames no unit`() {
        crash(GPU, CPU to Behaviour())
        val asked = mutableListOf<Unit>()
        val notes = notes(isInnocent = { asked.add(Unit) })
        assertEquals(GPU, select(notes, opener(GPU to Behaviour(steady = MS / 2), CPU to Behaviour())).chosen.unit)
        notes(isInnocent = { asked.add(Unit) })
        assertEquals(1, asked.size)
    }

    @Test
    fun `the CPU, without which nothing may be left, has a second chance`() {
        crash(CPU)
        val opener = opener(CPU to Behaviour())
        crash(CPU)
        assertContains(assertFailsWith<SamesightError> { select(notes(), opener) }.message, "CPU: the app ended")
    }

    @Test
    fun `after one crash the CPU is tried again`() {
        crash(CPU)
        assertEquals(CPU, select(notes(), opener(CPU to Behaviour())).chosen.unit)
    }

    @Test
    fun `what is refused or cancelled leaves no note`() {
        val opener = opener(GPU to Behaviour { FloatArray(2) }, CPU to Behaviour())
        select(notes(), opener)
        val cancellation = Cancellation()
        val cancelling = Behaviour(opening = { cancellation.cancel() })
        runCatching { place(request(), opener(CPU to cancelling), cancellation, notes()) { clock.now } }
        val left = File(folder, "units").walk().filter { it.isFile }.map { it.name.substringBefore('-') }.toList()
        assertEquals(listOf("choice"), left)
    }

    @Test
    fun `a unit that never answers is skipped in this process and at the next start`() {
        val waiting = Behaviour(opening = { Thread.sleep(60_000) })
        val hanging = WatchedOpener(longest = 200) { opener(GPU to waiting, CPU to Behaviour()) }
        val notes = notes()
        val first = select(notes, hanging)
        assertEquals(CPU, first.chosen.unit)
        assertContains(first.trials.first { it.unit == GPU }.refusal.orEmpty(), "the GPU did not answer")
        val opener = opener(GPU to Behaviour(), CPU to Behaviour())
        for (known in listOf(notes, notes())) {
            val refusal = select(known, opener, request(GPU, CPU)).trials.first { it.unit == GPU }.refusal.orEmpty()
            assertContains(refusal, Regex("the GPU did not answer .*; it is skipped until"))
        }
        assertTrue(GPU !in opener.opened)
    }

    @Test
    fun `a choice is kept, and loaded at once`() {
        val units = arrayOf(GPU to Behaviour(steady = MS / 2), CPU to Behaviour())
        val first = select(notes(), opener(*units))
        val opener = opener(*units)
        val again = select(notes(), opener)
        assertEquals(listOf(GPU), opener.opened)
        assertEquals(1, opener.inMemory)
        assertEquals(first.trials, again.trials)
        assertEquals(first.chosen, again.chosen)
    }

    @Test
    fun `a choice in another mode is kept with all that was said`() {
        fun opener() =
            FakeOpener(
                mapOf(GPU to Behaviour { FloatArray(2) }, CPU to Behaviour()),
                clock,
                mapOf((GPU to Mode.FLOAT32) to Behaviour(steady = MS / 2)),
            )
        val first = select(notes(), opener())
        val again = opener()
        assertEquals(first.trials, select(notes(), again).trials)
        assertEquals(listOf(GPU to Mode.FLOAT32), again.asked)
    }

    @Test
    fun `a choice that does not hold any more is made anew`() {
        val fine = GPU to Behaviour(steady = MS / 2)
        for (changed in listOf(Behaviour { FloatArray(2) }, Behaviour(steady = 5 * MS), null)) {
            select(notes(), opener(fine, CPU to Behaviour()))
            val units = listOfNotNull(changed?.let { GPU to it }, CPU to Behaviour()).toTypedArray()
            val opener = opener(*units)
            assertEquals(CPU, select(notes(), opener).chosen.unit)
            assertEquals(1 to 1, opener.inMemory to opener.mostInMemory)
            File(folder, "units").deleteRecursively()
        }
    }

    @Test
    fun `other units, another file and another version are other choices`() {
        val units = arrayOf(GPU to Behaviour(steady = MS / 2), CPU to Behaviour())
        select(notes(), opener(*units))
        val asked = opener(*units)
        select(notes(), asked, request(CPU))
        select(notes(), asked, Request(ArtifactFile(artifact(), File("sums"), "1".repeat(64)), spec, cases))
        select(notes("app 2"), asked)
        assertEquals(listOf(CPU, CPU, GPU, CPU, GPU), asked.opened)
    }

    @Test
    fun `a damaged note is no choice`() {
        val units = arrayOf(GPU to Behaviour(steady = MS / 2), CPU to Behaviour())
        for (text in listOf("", "trials=2", "chosen=GPU\ntrials=9\n", "chosen=XPU\ntrials=0", "trials=-1", "\\u00")) {
            select(notes(), opener(*units))
            val file = File(folder, "units").walk().single { it.name.startsWith("choice-") }
            file.writeText(text)
            assertEquals(GPU, select(notes(), opener(*units)).chosen.unit)
        }
    }

    @Test
    fun `what cannot be noted is tried all the same`() {
        File(folder, "units").writeText("a file where a folder should be")
        assertEquals(CPU, select(notes(), opener(CPU to Behaviour())).chosen.unit)
    }

    @Test
    fun `a runtime that ends the app is skipped too`() {
        assertNull(notes().skipped("LiteRT"))
        for (crashes in 1..2) {
            val kept = File(folder, "kept")
            assertFailsWith<ProcessEnds> {
                notes().trying("LiteRT") {
                    File(folder, "units").copyRecursively(kept, overwrite = true)
                    throw ProcessEnds()
                }
            }
            File(folder, "units").deleteRecursively()
            kept.renameTo(File(folder, "units"))
            assertEquals(crashes == 2, notes().skipped("LiteRT") != null)
        }
        assertNull(notes().skipped("ExecuTorch"))
        assertNull(notes().skipped(sums, NPU, Mode.ALONE))
    }
}
