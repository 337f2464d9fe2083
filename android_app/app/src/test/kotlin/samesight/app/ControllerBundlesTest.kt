package samesight.app

import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import org.junit.Rule
import org.junit.Test
import samesight.contract.SamesightError
import samesight.ui.Event
import samesight.ui.Model

/** Bundles that are read, opened and removed while the app runs. */
internal class ControllerBundlesTest {
    @get:Rule val phone = FakePhone()

    @Test
    fun `a broken bundle is told and the others work`() {
        phone.shelf.broken += "bundles/old: damaged"
        val app = phone.started("sums")
        assertEquals("bundles/old: damaged", app.state.problem)
        assertIs<Model.Ready>(app.state.model)
        app.onEvent(Event.Dismiss)
        assertNull(app.state.problem)
    }

    @Test
    fun `bundles that cannot be read at all are one sentence, and nothing is waited for`() {
        val app = phone.started("sums")
        phone.shelf.failing = { throw UnsatisfiedLinkError("liblitert.so") }
        app.start()
        assertContains(assertNotNull(app.state.problem), "liblitert.so")
        assertEquals(Model.None to emptyList(), app.state.model to app.state.bundles)
    }

    @Test
    fun `a bundle for other runtimes says what to convert to`() {
        phone.shelf.bundles += phone.shelved("sums", mapOf("a" to "onnx"))
        val app = phone.controller().also { it.start() }
        assertContains(assertIs<Model.Failed>(app.state.model).sentence, "convert it to litert")
    }

    @Test
    fun `an opened bundle is chosen, and one that is refused changes nothing`() {
        val app = phone.started("sums")
        app.onBundle(picked("mine.zip", ByteArray(0)))
        assertEquals("mine.zip: damaged" to "sums", app.state.problem to app.state.bundle)
        val taken = Shelved(phone.shelved("spots").bundle, true)
        phone.shelf.next = { taken }
        app.onBundle(picked("mine.zip", ByteArray(0)))
        assertEquals(listOf("sums" to false, "spots" to true), app.state.bundles.map { it.name to it.opened })
        assertEquals("spots", app.state.bundle)
        assertIs<Model.Ready>(app.state.model)
        app.onBundle(picked("mine.zip", ByteArray(0)))
        assertEquals(2, app.state.bundles.size)
    }

    @Test
    fun `a bundle that was opened is removed, and what it hid comes back`() {
        phone.shelf.bundles += Shelved(phone.shelved("sums", mapOf("mine" to "litert")).bundle, true)
        phone.shelf.hidden = phone.shelved("sums")
        val app = phone.controller().also { it.start() }
        assertEquals("mine", app.state.artifact)
        app.onEvent(Event.RemoveBundle("sums"))
        assertEquals(listOf("sums" to false), app.state.bundles.map { it.name to it.opened })
        assertEquals("sums.fp32", app.state.artifact)
        assertIs<Model.Ready>(app.state.model)
        assertEquals(1, phone.opener.inMemory)
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
    }

    @Test
    fun `a bundle that cannot be removed is one sentence, and still runs`() {
        phone.shelf.bundles += Shelved(phone.shelved("sums").bundle, true)
        val app = phone.controller().also { it.start() }
        phone.shelf.failing = {
            phone.shelf.failing = {}
            throw SamesightError("sums: cannot be removed")
        }
        app.onEvent(Event.RemoveBundle("sums"))
        assertEquals("sums: cannot be removed" to "sums", app.state.problem to app.state.bundle)
        assertIs<Model.Ready>(app.state.model)
    }

    @Test
    fun `after the last bundle was removed there is none`() {
        phone.shelf.bundles += Shelved(phone.shelved("sums").bundle, true)
        val app = phone.controller().also { it.start() }
        app.onEvent(Event.RemoveBundle("sums"))
        assertEquals(Model.None to null, app.state.model to app.state.bundle)
        assertEquals(emptyList<Any>() to emptyList<Any>(), app.state.bundles to app.state.artifacts)
        assertEquals(0 to null, phone.opener.inMemory to app.state.problem)
        app.onFrame(frame())
        assertEquals(emptyList(), app.state.seen?.answers)
    }

    @Test
    fun `while a bundle is opened its file is named, also where it is refused`() {
        val later = Later()
        val app = phone.controller(loader = later).also { it.start() }
        later.runAll()
        val before = mutableListOf<String?>()
        for (take in listOf({ throw SamesightError("mine.zip: damaged") }, { phone.shelved("sums") })) {
            phone.shelf.next = { take().also { before += app.state.opening } }
            app.onBundle(picked("mine.zip", ByteArray(0)))
            assertEquals("the chosen file", app.state.opening)
            later.runAll()
            assertNull(app.state.opening)
        }
        assertEquals("sums" to "mine.zip", app.state.bundle to before.single())
    }
}
