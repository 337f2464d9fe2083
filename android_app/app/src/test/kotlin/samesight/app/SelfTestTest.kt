package samesight.app

import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.After
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import samesight.contract.ComputeUnit
import samesight.contract.SamesightError
import samesight.contract.openBundle
import samesight.ui.Event
import samesight.ui.Model
import samesight.ui.SelfTest

class SelfTestTest {
    @get:Rule val temporary = TemporaryFolder()
    private val opener = FakeOpener()
    private val loader = Executors.newSingleThreadExecutor()
    private val states = mutableListOf<SelfTest>()
    private val app by lazy {
        val bundles =
            listOf("sums", "spots").map { Shelved(openBundle(writeBundle(temporary.newFolder(it), it)), false) }
        val shelf =
            object : Shelf {
                override fun all(onProblem: (String) -> Unit) = bundles

                override fun take(packed: Picked) = throw SamesightError("none here")

                override fun remove(name: String) = throw SamesightError("none here")
            }
        val photos = Photos { _, _ -> throw SamesightError("none here") }
        Controller(shelf, FakeRuntimes(mapOf("litert" to opener)), photos, FakeMemory(), loader, atOnce).also {
            it.start()
            settle()
            it.listener = { moment -> states += moment.state.selfTest }
        }
    }

    @After
    fun end() {
        loader.shutdownNow()
    }

    /** Waits until the loader has nothing to do, also where its last work gave it more. */
    private fun settle() = repeat(4) { loader.submit {}.get(20, TimeUnit.SECONDS) }

    @Test
    fun `runs every artifact on every unit, and the model is back afterwards`() {
        assertNull(app.results)
        app.onEvent(Event.ShowSelfTest)
        app.onEvent(Event.RunSelfTest)
        settle()
        val done = assertIs<SelfTest.Done>(app.moment.state.selfTest)
        assertEquals(listOf(ComputeUnit.CPU, ComputeUnit.GPU, ComputeUnit.NPU), done.runs.map { it.unit })
        assertEquals(listOf(true, false, false), done.passed)
        assertEquals(listOf(null, "no GPU here", "no NPU here"), done.runs.map { it.refusal })
        assertEquals(emptyList(), done.failures)
        val running = states.filterIsInstance<SelfTest.Running>()
        assertContains(running, SelfTest.Running(1, 3, "sums.fp32 on the GPU"))
        assertIs<Model.Ready>(app.moment.state.model)
        assertEquals(1, opener.inMemory)
        val results = assertNotNull(app.results)
        assertContains(results, "\"app\": \"Android app test\"")
        app.onEvent(Event.Back)
        assertEquals(false, app.moment.state.testing)
        assertEquals(done, app.moment.state.selfTest)
        app.onEvent(Event.ChooseBundle("spots"))
        settle()
        assertEquals(SelfTest.Idle to null, app.moment.state.selfTest to app.results)
    }

    @Test
    fun `one model is in memory at a time`() {
        app.moment
        var most = 0
        opener.running = { most = maxOf(most, opener.inMemory) }
        app.onEvent(Event.RunSelfTest)
        settle()
        assertEquals(1, most)
    }

    @Test
    fun `cancelling ends it within a run, and the model is back`() {
        for (how in listOf(Event.CancelSelfTest, Event.Back)) {
            app.onEvent(Event.ShowSelfTest)
            val inside = CountDownLatch(1)
            val go = CountDownLatch(1)
            var runs = 0
            opener.running = {
                runs++
                inside.countDown()
                go.await(20, TimeUnit.SECONDS)
            }
            app.onEvent(Event.RunSelfTest)
            inside.await(20, TimeUnit.SECONDS)
            app.onEvent(how)
            opener.running = {}
            go.countDown()
            settle()
            assertEquals(1, runs)
            assertEquals(SelfTest.Idle to null, app.moment.state.selfTest to app.results)
            assertIs<Model.Ready>(app.moment.state.model)
            assertEquals(1, opener.inMemory)
        }
    }

    @Test
    fun `another bundle ends it and its results are not shown`() {
        val inside = CountDownLatch(1)
        val go = CountDownLatch(1)
        app.moment
        opener.running = {
            inside.countDown()
            go.await(20, TimeUnit.SECONDS)
        }
        app.onEvent(Event.RunSelfTest)
        inside.await(20, TimeUnit.SECONDS)
        opener.running = {}
        app.onEvent(Event.ChooseBundle("spots"))
        go.countDown()
        settle()
        assertEquals(SelfTest.Idle to "spots", app.moment.state.selfTest to app.moment.state.bundle)
        assertNull(app.results)
        assertTrue(app.moment.state.model is Model.Ready)
    }

    @Test
    fun `no frame is looked at while it is shown`() {
        app.onEvent(Event.ShowSelfTest)
        assertEquals(false, app.free)
        app.onFrame(frame())
        assertNull(app.moment.state.seen)
        app.onEvent(Event.Back)
        app.onFrame(frame())
        assertNotNull(app.moment.state.seen)
    }

    @Test
    fun `what makes it fail is a sentence`() {
        app.moment
        opener.running = { error("a fault of ours") }
        app.onEvent(Event.RunSelfTest)
        settle()
        val done = assertIs<SelfTest.Done>(app.moment.state.selfTest)
        assertContains(done.runs[0].refusal.orEmpty(), "a fault of ours")
        assertContains(done.failures.single(), "sums.fp32: no unit runs it; ")
        opener.running = {}
        assertTrue(File(temporary.root, "sums/golden/000.input").delete())
        app.onEvent(Event.RunSelfTest)
        settle()
        assertContains(assertIs<SelfTest.Failed>(app.moment.state.selfTest).sentence, "000.input")
    }
}
