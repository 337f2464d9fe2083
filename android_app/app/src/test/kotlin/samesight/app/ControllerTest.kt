package samesight.app

import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertSame
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import samesight.contract.ComputeUnit
import samesight.contract.Task
import samesight.engine.Mode
import samesight.engine.TrialNotes
import samesight.engine.artifactFile
import samesight.ui.Event
import samesight.ui.Model
import samesight.ui.SelfTest

/** What is chosen, loaded, kept in memory and told. */
internal class ControllerTest {
    @get:Rule val phone = FakePhone()

    @Test
    fun `without bundles there is no model and nothing fails`() {
        val app = phone.started()
        assertEquals(Model.None to null, app.state.model to app.state.bundle)
        app.onFrame(frame())
        assertEquals(emptyList(), app.state.seen?.answers)
        app.onEvent(Event.RunSelfTest)
        app.onEvent(Event.ChooseBundle("other"))
        app.onEvent(Event.ChooseTask(Task.DETECTION))
        assertEquals(Model.None to null, app.state.model to app.state.problem)
    }

    @Test
    fun `before the bundles are read it is loading`() {
        assertEquals(Model.Loading, phone.controller(loader = Later()).state.model)
    }

    @Test
    fun `begins with the first bundle and its first artifact that the server passed`() {
        val artifacts = mapOf("a" to "litert", "b" to "onnx", "c" to "litert", "d" to "litert")
        phone.shelf.bundles += phone.shelved("sums", artifacts, mapOf("a" to false, "b" to true, "c" to true))
        val app = phone.controller().also { it.start() }
        assertEquals(listOf("a" to false, "c" to true, "d" to null), app.state.artifacts.map { it.name to it.passed })
        assertEquals("sums" to "c", app.state.bundle to app.state.artifact)
        assertEquals(ComputeUnit.GPU, assertIs<Model.Ready>(app.state.model).chosen.unit)
        assertEquals(Choices("sums", "c", null), phone.memory.choices)
    }

    @Test
    fun `begins with what was chosen last, where it is still there`() {
        val artifacts = mapOf("x" to "litert", "y" to "litert")
        phone.shelf.bundles += listOf(phone.shelved("spots"), phone.shelved("sums", artifacts))
        phone.memory.choices = Choices("sums", "y", ComputeUnit.CPU)
        val app = phone.controller().also { it.start() }
        assertEquals(Triple("sums", "y", ComputeUnit.CPU), Triple(app.state.bundle, app.state.artifact, app.state.unit))
        phone.memory.choices = Choices("gone", "z", null)
        assertEquals("spots", phone.controller().also { it.start() }.state.bundle)
    }

    @Test
    fun `a unit that was chosen at an earlier start is loaded at once`() {
        val folder = phone.newFolder()
        phone.notes = TrialNotes(folder, "system")
        val first = assertIs<Model.Ready>(phone.started("sums").state.model)
        phone.opener.opened.clear()
        phone.notes = TrialNotes(folder, "system")
        val again = assertIs<Model.Ready>(phone.controller().also { it.start() }.state.model)
        assertEquals(listOf("sums.fp32" to ComputeUnit.GPU), phone.opener.opened)
        assertEquals(first.trials.map { it.refusal to it.unit }, again.trials.map { it.refusal to it.unit })
    }

    @Test
    fun `a unit that ended the app is skipped, by the self-test too`() {
        val folder = phone.newFolder()
        val bundle = phone.shelved("sums")
        phone.shelf.bundles += bundle
        val file = artifactFile(bundle.bundle, bundle.bundle.find("sums.fp32"))
        val crashed = runCatching {
            TrialNotes(folder, "system").trying<Unit>(file, ComputeUnit.GPU, Mode.ALONE) {
                folder.copyRecursively(phone.root.resolve("kept"))
                error("a crash")
            }
        }
        assertTrue(crashed.isFailure)
        phone.root.resolve("kept").copyRecursively(folder, overwrite = true)
        phone.notes = TrialNotes(folder, "system")
        val app = phone.controller().also { it.start() }
        val ready = assertIs<Model.Ready>(app.state.model)
        assertEquals(ComputeUnit.CPU, ready.chosen.unit)
        assertContains(ready.trials.first { it.unit == ComputeUnit.GPU }.refusal.orEmpty(), "it is skipped until")
        app.onEvent(Event.RunSelfTest)
        val runs = assertIs<SelfTest.Done>(app.state.selfTest).runs
        assertContains(runs.first { it.unit == ComputeUnit.GPU }.refusal.orEmpty(), "it is skipped until")
        assertEquals(setOf(ComputeUnit.CPU), phone.opener.opened.map { it.second }.toSet())
    }

    @Test
    fun `a unit that refuses is a sentence, and another choice mends it`() {
        val app = phone.started("sums")
        app.onEvent(Event.ChooseUnit(ComputeUnit.NPU))
        assertContains(assertIs<Model.Failed>(app.state.model).sentence, "no NPU here")
        app.onFrame(frame())
        assertEquals(emptyList(), app.state.seen?.answers)
        app.onEvent(Event.ChooseUnit(ComputeUnit.CPU))
        assertEquals(ComputeUnit.CPU, assertIs<Model.Ready>(app.state.model).chosen.unit)
        assertEquals(Choices("sums", "sums.fp32", ComputeUnit.CPU), phone.memory.choices)
        assertEquals(1, phone.opener.inMemory)
    }

    @Test
    fun `of many choices in a row the last is loaded`() {
        val later = Later()
        phone.shelf.bundles += listOf(phone.shelved("sums"), phone.shelved("spots"))
        val app = phone.controller(loader = later)
        app.start()
        later.runAll()
        phone.opener.opened.clear()
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
        app.onEvent(Event.ChooseBundle("spots"))
        assertEquals(emptyList(), app.state.seen?.answers)
        app.onEvent(Event.ChooseBundle("sums"))
        app.onEvent(Event.ChooseTask(Task.DETECTION))
        assertEquals(Model.Loading to emptyList(), app.state.model to app.state.latencies)
        later.runAll()
        assertEquals("spots", app.state.bundle)
        assertEquals(setOf("spots.fp32"), phone.opener.opened.map { it.first }.toSet())
        assertIs<Model.Ready>(app.state.model)
        assertEquals(1, phone.opener.inMemory)
    }

    @Test
    fun `a choice during a load ends that load`() {
        phone.shelf.bundles += listOf(phone.shelved("sums"), phone.shelved("spots"))
        val later = Later()
        val app = phone.controller(loader = later)
        var first = true
        phone.opener.opening = {
            if (first) {
                first = false
                app.onEvent(Event.ChooseBundle("spots"))
            }
        }
        app.start()
        later.runAll()
        assertEquals(listOf("sums.fp32", "spots.fp32"), phone.opener.opened.map { it.first }.distinct())
        // One attempt, and not one more with the next unit.
        assertEquals(1, phone.opener.opened.count { it.first == "sums.fp32" })
        assertEquals(1, phone.opener.inMemory)
        assertEquals("spots", phone.memory.choices.bundle)
    }

    @Test
    fun `memory is given back, and a tap or coming back brings the model again, but no frame`() {
        val app = phone.started("sums")
        app.release()
        assertEquals(Model.Released to 0, app.state.model to phone.opener.inMemory)
        app.onFrame(frame())
        assertEquals(Model.Released to 0, app.state.model to phone.opener.inMemory)
        app.onEvent(Event.LoadAgain)
        assertIs<Model.Ready>(app.state.model)
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
        app.release()
        app.wake()
        assertEquals(1, phone.opener.inMemory)
        app.wake()
        assertEquals(1, phone.opener.inMemory)
    }

    @Test
    fun `memory that was given back while somebody looked waits for a tap, also when the device is turned`() {
        val app = phone.started("sums")
        app.listener = {}
        app.release()
        app.listener = null
        app.wake()
        assertEquals(Model.Released to 0, app.state.model to phone.opener.inMemory)
        app.onEvent(Event.LoadAgain)
        assertIs<Model.Ready>(app.state.model)
        app.wake()
        assertEquals(1, phone.opener.inMemory)
    }

    @Test
    fun `the listener is told of every moment, the newest first of all`() {
        val app = phone.started("sums")
        val told = mutableListOf<Moment>()
        app.listener = { told += it }
        assertSame(app.moment, told.single())
        app.problem("one")
        app.problem("two")
        assertEquals(listOf(null, "one", "two"), told.map { it.state.problem })
        app.listener = null
        app.problem("three")
        assertEquals(3, told.size)
    }
}
