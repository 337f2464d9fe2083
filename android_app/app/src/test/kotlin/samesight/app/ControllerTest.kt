package samesight.app

import java.io.IOException
import java.util.concurrent.Executor
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import samesight.contract.Box
import samesight.contract.ComputeUnit
import samesight.contract.Orientation
import samesight.contract.Picture
import samesight.contract.Plane
import samesight.contract.SamesightError
import samesight.contract.Task
import samesight.contract.Yuv420
import samesight.contract.openBundle
import samesight.ui.Camera as CameraState
import samesight.ui.Event
import samesight.ui.HISTORY
import samesight.ui.Model
import samesight.ui.Source

class ControllerTest {
    @get:Rule val temporary = TemporaryFolder()
    private val opener = FakeOpener(setOf(ComputeUnit.CPU, ComputeUnit.GPU))
    private val memory = FakeMemory()
    private val shelf = FakeShelf()
    private var photo: (IntArray) -> Picture = { Picture(ByteArray(6) { (40 * it).toByte() }, 2, 1) }
    private var now = 0L

    private inner class FakeShelf : Shelf {
        val bundles = mutableListOf<Shelved>()
        val broken = mutableListOf<String>()
        var next: () -> Shelved = { throw SamesightError("mine.zip: damaged") }

        var failing: () -> Unit = {}

        override fun all(tell: (String) -> Unit): List<Shelved> {
            failing()
            broken.forEach(tell)
            return bundles
        }

        override fun take(packed: Picked): Shelved = next()

        override fun remove(name: String) {
            failing()
            bundles.removeAll { it.opened && it.bundle.spec.name == name }
            hidden?.let { bundles += it }
        }

        var hidden: Shelved? = null
    }

    private fun shelved(
        name: String,
        artifacts: Map<String, String> = mapOf("$name.fp32" to "litert"),
        passed: Map<String, Boolean> = emptyMap(),
        background: List<Int> = listOf(255, 255, 255),
    ) = Shelved(openBundle(writeBundle(temporary.newFolder(), name, artifacts, passed, background)), false)

    private fun controller(loader: Executor = atOnce, looker: Executor = atOnce): Controller {
        val runtimes = FakeRuntimes(mapOf("litert" to opener))
        val photos = Photos { _, background -> photo(background) }
        return Controller(shelf, runtimes, photos, memory, loader, looker) { now.also { now += 1_000_000 } }
    }

    private fun started(vararg names: String): Controller {
        names.forEach { shelf.bundles += shelved(it) }
        return controller().also { it.start() }
    }

    private val Controller.state get() = moment.state

    @Test
    fun `without bundles there is no model and nothing fails`() {
        val app = started()
        assertEquals(Model.None to null, app.state.model to app.state.bundle)
        app.onFrame(frame())
        assertEquals(emptyList(), app.state.seen?.answers)
        app.tell(Event.RunSelfTest)
        app.tell(Event.ChooseBundle("other"))
        app.tell(Event.ChooseTask(Task.DETECTION))
        assertEquals(Model.None to null, app.state.model to app.state.problem)
    }

    @Test
    fun `before the bundles are read it is loading`() {
        assertEquals(Model.Loading, controller(loader = Later()).state.model)
    }

    @Test
    fun `begins with the first bundle and its first artifact that the server passed`() {
        val artifacts = mapOf("a" to "litert", "b" to "onnx", "c" to "litert", "d" to "litert")
        shelf.bundles += shelved("sums", artifacts, mapOf("a" to false, "b" to true, "c" to true))
        val app = controller().also { it.start() }
        assertEquals(listOf("a" to false, "c" to true, "d" to null), app.state.artifacts.map { it.name to it.passed })
        assertEquals("sums" to "c", app.state.bundle to app.state.artifact)
        assertEquals(ComputeUnit.GPU, assertIs<Model.Ready>(app.state.model).chosen.unit)
        assertEquals(Choices("sums", "c", null), memory.choices)
    }

    @Test
    fun `begins with what was chosen last, where it is still there`() {
        val artifacts = mapOf("x" to "litert", "y" to "litert")
        shelf.bundles += listOf(shelved("spots"), shelved("sums", artifacts))
        memory.choices = Choices("sums", "y", ComputeUnit.CPU)
        val app = controller().also { it.start() }
        assertEquals(Triple("sums", "y", ComputeUnit.CPU), Triple(app.state.bundle, app.state.artifact, app.state.unit))
        memory.choices = Choices("gone", "z", null)
        assertEquals("spots", controller().also { it.start() }.state.bundle)
    }

    @Test
    fun `a broken bundle is told and the others work`() {
        shelf.broken += "bundles/old: damaged"
        val app = started("sums")
        assertEquals("bundles/old: damaged", app.state.problem)
        assertIs<Model.Ready>(app.state.model)
        app.tell(Event.Dismiss)
        assertNull(app.state.problem)
    }

    @Test
    fun `bundles that cannot be read at all are one sentence, and nothing is waited for`() {
        val app = started("sums")
        shelf.failing = { throw UnsatisfiedLinkError("liblitert.so") }
        app.start()
        assertContains(assertNotNull(app.state.problem), "liblitert.so")
        assertEquals(Model.None to emptyList(), app.state.model to app.state.bundles)
    }

    @Test
    fun `a bundle for other runtimes says what to convert to`() {
        shelf.bundles += shelved("sums", mapOf("a" to "onnx"))
        val app = controller().also { it.start() }
        assertContains(assertIs<Model.Failed>(app.state.model).sentence, "convert it to litert")
    }

    @Test
    fun `a unit that refuses is a sentence, and another choice mends it`() {
        val app = started("sums")
        app.tell(Event.ChooseUnit(ComputeUnit.NPU))
        assertContains(assertIs<Model.Failed>(app.state.model).sentence, "no NPU here")
        app.onFrame(frame())
        assertEquals(emptyList(), app.state.seen?.answers)
        app.tell(Event.ChooseUnit(ComputeUnit.CPU))
        assertEquals(ComputeUnit.CPU, assertIs<Model.Ready>(app.state.model).chosen.unit)
        assertEquals(Choices("sums", "sums.fp32", ComputeUnit.CPU), memory.choices)
        assertEquals(1, opener.inMemory)
    }

    @Test
    fun `a frame is answered, shown and timed`() {
        val app = started("sums")
        app.onFrame(frame())
        val seen = assertNotNull(app.state.seen)
        assertEquals(listOf("right", "left"), seen.answers.map { it.label })
        assertEquals(4 to 2, seen.width to seen.height)
        assertEquals(4 to 2, app.moment.image?.let { it.width to it.height })
        assertEquals(listOf(1f, 1f, 1f), app.state.latencies.single().run { listOf(preprocess, network, answers) })
        repeat(HISTORY + 5) { app.onFrame(frame()) }
        assertEquals(HISTORY, app.state.latencies.size)
    }

    @Test
    fun `a front camera's network sees the world, people see the mirror, boxes fit the mirror`() {
        val app = started("spots")
        app.onFrame(frame(width = 2))
        // The first pixel has level 20: from the left edge to 20 of 255.
        val plain = assertNotNull(app.state.seen?.answers?.single()?.box)
        assertEquals(Box(0f, 0f, 2 * 20f / 255, plain.y2), plain)
        app.onFrame(frame(width = 2, mirror = true))
        assertEquals(Box(2 - plain.x2, 0f, 2f, plain.y2), app.state.seen?.answers?.single()?.box)
        assertEquals(200, app.moment.image?.let { it.colours[0] and 255 })
    }

    @Test
    fun `boxes are in pixels of the upright image`() {
        val app = started("spots")
        app.onFrame(frame(Orientation(1), width = 8, height = 2))
        assertEquals(2 to 8, app.state.seen?.let { it.width to it.height })
        val box = assertNotNull(app.state.seen?.answers?.single()?.box)
        assertTrue(box.x2 <= 2 && box.y2 > 2, "$box")
    }

    @Test
    fun `a camera that fails shows nothing old, and is tried again`() {
        val later = Later()
        shelf.bundles += shelved("sums")
        val app = controller(looker = later).also { it.start() }
        app.cameraIs(CameraState.On)
        app.onFrame(frame())
        later.runAll()
        assertNotNull(app.state.seen)
        // One is looked at when the camera fails.
        app.onFrame(frame())
        app.onCameraProblem("another app took it")
        later.runAll()
        assertEquals(CameraState.Failed("another app took it"), app.state.camera)
        assertEquals(null to null, app.state.seen to app.moment.image)
        assertFalse(app.free)
        app.onFrame(frame())
        assertEquals(0, later.waiting.size)
        app.tell(Event.RetryCamera)
        assertEquals(CameraState.On, app.state.camera)
        app.onFrame(frame())
        later.runAll()
        assertNotNull(app.state.seen)
    }

    @Test
    fun `a camera that fails while a photo is shown leaves the photo`() {
        val app = started("sums")
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        val before = app.moment
        app.onCameraProblem("another app took it")
        assertEquals(before.state.seen, assertNotNull(app.state.seen))
        assertSame(before.image, assertNotNull(app.moment.image))
    }

    @Test
    fun `the other camera is asked for where there is one, also after the first failed`() {
        val app = started("sums")
        assertFalse(app.state.switchable)
        app.onCameras(both = true)
        assertTrue(app.state.switchable)
        app.onFrame(frame())
        app.tell(Event.SwitchCamera)
        assertEquals(true to null, app.state.front to app.state.seen)
        assertNull(app.moment.image)
        app.onCameraProblem("it failed")
        app.tell(Event.SwitchCamera)
        assertEquals(false to CameraState.On, app.state.front to app.state.camera)
    }

    @Test
    fun `frames that come while one is looked at are dropped`() {
        val later = Later()
        shelf.bundles += shelved("sums")
        val app = controller(looker = later).also { it.start() }
        assertTrue(app.free)
        app.onFrame(frame())
        assertFalse(app.free)
        app.onFrame(frame())
        app.onFrame(frame())
        assertEquals(1, later.waiting.size)
        later.runAll()
        assertTrue(app.free)
        assertEquals(1, app.state.latencies.size)
    }

    @Test
    fun `a frame whose planes are too short is one sentence`() {
        val app = started("sums")
        val short = Plane(ByteArray(3), 4)
        app.onFrame(CameraFrame(Yuv420(4, 2, short, short, short), frame().matrix, frame().range, Orientation(), false))
        assertContains(assertNotNull(app.state.problem), "plane y")
        assertTrue(app.free)
    }

    @Test
    fun `a network that fails is told once and looks at nothing more`() {
        val app = started("sums")
        opener.running = { throw SamesightError("LiteRT refuses: out of memory") }
        app.onFrame(frame())
        assertEquals("LiteRT refuses: out of memory", assertIs<Model.Failed>(app.state.model).sentence)
        opener.running = { error("looked at again") }
        app.onFrame(frame())
        assertEquals(emptyList<samesight.contract.Answer>() to null, app.state.seen?.answers to app.state.problem)
        opener.running = {}
        app.tell(Event.ChooseArtifact("sums.fp32"))
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
    }

    @Test
    fun `too little memory is one sentence`() {
        val app = started("sums")
        opener.running = { throw OutOfMemoryError() }
        app.onFrame(frame())
        assertContains(assertIs<Model.Failed>(app.state.model).sentence, "not enough memory")
    }

    @Test
    fun `of many choices in a row the last is loaded`() {
        val later = Later()
        shelf.bundles += listOf(shelved("sums"), shelved("spots"))
        val app = controller(loader = later)
        app.start()
        later.runAll()
        opener.opened.clear()
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
        app.tell(Event.ChooseBundle("spots"))
        assertEquals(emptyList(), app.state.seen?.answers)
        app.tell(Event.ChooseBundle("sums"))
        app.tell(Event.ChooseTask(Task.DETECTION))
        assertEquals(Model.Loading to emptyList(), app.state.model to app.state.latencies)
        later.runAll()
        assertEquals("spots", app.state.bundle)
        assertEquals(setOf("spots.fp32"), opener.opened.map { it.first }.toSet())
        assertIs<Model.Ready>(app.state.model)
        assertEquals(1, opener.inMemory)
    }

    @Test
    fun `a choice during a load ends that load`() {
        shelf.bundles += listOf(shelved("sums"), shelved("spots"))
        val later = Later()
        val app = controller(loader = later)
        var first = true
        opener.opening = {
            if (first) {
                first = false
                app.tell(Event.ChooseBundle("spots"))
            }
        }
        app.start()
        later.runAll()
        assertEquals(listOf("sums.fp32", "spots.fp32"), opener.opened.map { it.first }.distinct())
        // One attempt, and not one more of the ladder's.
        assertEquals(1, opener.opened.count { it.first == "sums.fp32" })
        assertEquals(1, opener.inMemory)
        assertEquals("spots", memory.choices.bundle)
    }

    @Test
    fun `a photo is looked at, and again with another model, until the camera is used`() {
        shelf.bundles += listOf(shelved("sums"), shelved("spots", background = listOf(1, 2, 3)))
        val app = controller().also { it.start() }
        val backgrounds = mutableListOf<List<Int>>()
        photo = { background ->
            backgrounds += background.toList()
            Picture(ByteArray(18) { 90 }, 3, 2, Orientation(1))
        }
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        assertEquals(Source.PHOTO to 2, app.state.source to app.state.seen?.width)
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.width)
        assertFalse(app.free)
        app.tell(Event.ChooseBundle("spots"))
        assertEquals("spot", app.state.seen?.answers?.single()?.label)
        assertEquals(listOf(listOf(255, 255, 255), listOf(1, 2, 3)), backgrounds)
        app.tell(Event.UseCamera)
        assertEquals(Source.CAMERA, app.state.source)
        assertNull(app.state.seen)
        assertNull(app.moment.image)
        app.tell(Event.ChooseBundle("sums"))
        assertEquals(2, backgrounds.size)
    }

    @Test
    fun `a photo that cannot be read is one sentence, and the camera goes on`() {
        val app = started("sums")
        photo = { throw SamesightError("a.jpg: is no image") }
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        assertEquals("a.jpg: is no image" to Source.CAMERA, app.state.problem to app.state.source)
        photo = { throw IOException("a fault of ours") }
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        assertContains(assertNotNull(app.state.problem), "a fault of ours")
    }

    @Test
    fun `a photo that is chosen while an older one waits is the one that is shown`() {
        val later = Later()
        shelf.bundles += shelved("sums")
        val app = controller(looker = later).also { it.start() }
        later.runAll()
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        app.onPhoto(picked("b.jpg", ByteArray(0)))
        var read = 0
        photo = { Picture(ByteArray(3), 1, 1).also { read++ } }
        later.runAll()
        assertEquals(1, read)
        app.onPhoto(picked("c.jpg", ByteArray(0)))
        app.tell(Event.UseCamera)
        later.runAll()
        assertNull(app.state.seen)
    }

    @Test
    fun `an opened bundle is chosen, and one that is refused changes nothing`() {
        val app = started("sums")
        app.onBundle(picked("mine.zip", ByteArray(0)))
        assertEquals("mine.zip: damaged" to "sums", app.state.problem to app.state.bundle)
        val taken = Shelved(shelved("spots").bundle, true)
        shelf.next = { taken }
        app.onBundle(picked("mine.zip", ByteArray(0)))
        assertEquals(listOf("sums" to false, "spots" to true), app.state.bundles.map { it.name to it.opened })
        assertEquals("spots", app.state.bundle)
        assertIs<Model.Ready>(app.state.model)
        app.onBundle(picked("mine.zip", ByteArray(0)))
        assertEquals(2, app.state.bundles.size)
    }

    @Test
    fun `a bundle that was opened is removed, and what it hid comes back`() {
        shelf.bundles += Shelved(shelved("sums", mapOf("mine" to "litert")).bundle, true)
        shelf.hidden = shelved("sums")
        val app = controller().also { it.start() }
        assertEquals("mine", app.state.artifact)
        app.tell(Event.RemoveBundle("sums"))
        assertEquals(listOf("sums" to false), app.state.bundles.map { it.name to it.opened })
        assertEquals("sums.fp32", app.state.artifact)
        assertIs<Model.Ready>(app.state.model)
        assertEquals(1, opener.inMemory)
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
    }

    @Test
    fun `a bundle that cannot be removed is one sentence, and still runs`() {
        shelf.bundles += Shelved(shelved("sums").bundle, true)
        val app = controller().also { it.start() }
        shelf.failing = {
            shelf.failing = {}
            throw SamesightError("sums: cannot be removed")
        }
        app.tell(Event.RemoveBundle("sums"))
        assertEquals("sums: cannot be removed" to "sums", app.state.problem to app.state.bundle)
        assertIs<Model.Ready>(app.state.model)
    }

    @Test
    fun `after the last bundle was removed there is none`() {
        shelf.bundles += Shelved(shelved("sums").bundle, true)
        val app = controller().also { it.start() }
        app.tell(Event.RemoveBundle("sums"))
        assertEquals(Model.None to null, app.state.model to app.state.bundle)
        assertEquals(emptyList<Any>() to emptyList<Any>(), app.state.bundles to app.state.artifacts)
        assertEquals(0 to null, opener.inMemory to app.state.problem)
        app.onFrame(frame())
        assertEquals(emptyList(), app.state.seen?.answers)
    }

    @Test
    fun `while a bundle is opened its file is named, also where it is refused`() {
        val later = Later()
        val app = controller(loader = later).also { it.start() }
        later.runAll()
        val before = mutableListOf<String?>()
        for (take in listOf({ throw SamesightError("mine.zip: damaged") }, { shelved("sums") })) {
            shelf.next = { take().also { before += app.state.opening } }
            app.onBundle(picked("mine.zip", ByteArray(0)))
            assertEquals("the chosen file", app.state.opening)
            later.runAll()
            assertNull(app.state.opening)
        }
        assertEquals("sums" to "mine.zip", app.state.bundle to before.single())
    }

    @Test
    fun `memory is given back, and a tap or coming back brings the model again, but no frame`() {
        val app = started("sums")
        app.release()
        assertEquals(Model.Released to 0, app.state.model to opener.inMemory)
        app.onFrame(frame())
        assertEquals(Model.Released to 0, app.state.model to opener.inMemory)
        app.tell(Event.LoadAgain)
        assertIs<Model.Ready>(app.state.model)
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
        app.release()
        app.wake()
        assertEquals(1, opener.inMemory)
        app.wake()
        assertEquals(1, opener.inMemory)
    }

    @Test
    fun `memory that was given back while somebody looked waits for a tap, also when the device is turned`() {
        val app = started("sums")
        app.listener = {}
        app.release()
        app.listener = null
        app.wake()
        assertEquals(Model.Released to 0, app.state.model to opener.inMemory)
        app.tell(Event.LoadAgain)
        assertIs<Model.Ready>(app.state.model)
        app.wake()
        assertEquals(1, opener.inMemory)
    }

    @Test
    fun `the listener is told of every moment, the newest first of all`() {
        val app = started("sums")
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
