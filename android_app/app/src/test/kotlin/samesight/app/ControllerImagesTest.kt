package samesight.app

import java.io.IOException
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
import samesight.contract.Box
import samesight.contract.ComputeUnit
import samesight.contract.Orientation
import samesight.contract.Picture
import samesight.contract.Plane
import samesight.contract.SamesightError
import samesight.contract.Yuv420
import samesight.ui.Camera as CameraState
import samesight.ui.Event
import samesight.ui.HISTORY
import samesight.ui.Lens
import samesight.ui.Model
import samesight.ui.Source

/** Camera frames and photos: looked at, dropped, and in the way of each other. */
internal class ControllerImagesTest {
    @get:Rule val phone = FakePhone()

    @Test
    fun `a frame is answered, shown and timed`() {
        val app = phone.started("sums")
        app.onFrame(frame())
        val seen = assertNotNull(app.state.seen)
        assertEquals(listOf("right", "left"), seen.answers.map { it.label })
        assertEquals(4 to 2, seen.width to seen.height)
        // The screen has the camera's own image: none is made for it.
        assertNull(app.moment.image)
        assertEquals(listOf(1f, 1f, 1f), app.state.latencies.single().run { listOf(preprocess, network, answers) })
        repeat(HISTORY + 5) { app.onFrame(frame()) }
        assertEquals(HISTORY, app.state.latencies.size)
    }

    @Test
    fun `a front camera's network sees the world, people see the mirror, boxes fit the mirror`() {
        val app = phone.started("spots")
        app.cameraIs(CameraState.On)
        app.onFrame(frame(width = 2))
        // The first pixel has level 20: from the left edge to 20 of 255.
        val plain = assertNotNull(app.state.seen?.answers?.single()?.box)
        assertEquals(Box(0f, 0f, 2 * 20f / 255, plain.y2), plain)
        app.onFrame(frame(width = 2, mirror = true))
        assertEquals(Box(2 - plain.x2, 0f, 2f, plain.y2), app.state.seen?.answers?.single()?.box)
        app.onEvent(Event.Pause)
        app.onFrame(frame(width = 2, mirror = true))
        assertEquals(200, app.moment.image?.let { it.colours[0] and 255 })
    }

    @Test
    fun `a pause shows the very frame that is looked at next, with its answers, and keeps it`() {
        val app = phone.started("spots")
        app.cameraIs(CameraState.On)
        app.onFrame(frame(width = 2))
        app.onEvent(Event.Pause)
        assertEquals(true to false, app.state.run { paused to still })
        assertTrue(app.free)
        app.onFrame(frame(width = 8))
        assertEquals(listOf(8, 8), listOf(app.state.seen?.width, app.moment.image?.width))
        assertTrue(app.state.still)
        assertFalse(app.free)
        val shown = app.moment.image
        app.onFrame(frame(width = 4))
        assertEquals(8, app.state.seen?.width)
        // Other models look at the same frame.
        app.onEvent(Event.ChooseUnit(ComputeUnit.CPU))
        assertEquals("spot", app.state.seen?.answers?.single()?.label)
        assertSame(shown, app.moment.image)
        app.onCameraProblem("another app took it")
        assertSame(shown, app.moment.image)
        app.cameraIs(CameraState.On)
        app.onEvent(Event.Resume)
        assertEquals(listOf(false, false), app.state.run { listOf(paused, still) })
        assertEquals(null to null, app.state.seen to app.moment.image)
        app.onFrame(frame(width = 4))
        assertEquals(4 to null, app.state.seen?.width to app.moment.image)
    }

    @Test
    fun `without a running camera there is nothing to pause`() {
        val app = phone.started("sums")
        app.cameraIs(CameraState.Denied)
        app.onEvent(Event.Pause)
        assertFalse(app.state.paused)
    }

    @Test
    fun `zoom stays within what the lens has, torch needs a light, and both end with the side`() {
        val app = phone.started("sums")
        app.onLens(Lens(switchable = true, leastZoom = 0.5f, mostZoom = 4f))
        app.onEvent(Event.ZoomBy(1.5f))
        app.onEvent(Event.ZoomBy(2f))
        assertEquals(3f, app.state.zoom)
        app.onEvent(Event.ZoomBy(2f))
        assertEquals(4f, app.state.zoom)
        app.onEvent(Event.ZoomTo(0.1f))
        assertEquals(0.5f, app.state.zoom)
        app.onEvent(Event.Torch(true))
        assertFalse(app.state.torch)
        app.onLens(Lens(torch = true, mostZoom = 2f))
        assertEquals(1f, app.state.zoom)
        app.onEvent(Event.Torch(true))
        assertTrue(app.state.torch)
        app.onEvent(Event.ZoomTo(2f))
        app.onEvent(Event.SwitchCamera)
        assertEquals(1f to false, app.state.zoom to app.state.torch)
    }

    @Test
    fun `the least score is the model's own until another is chosen, for still images at once`() {
        val app = phone.started("spots", "sums")
        assertEquals(0.4f, app.state.chosen?.threshold)
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        val score = assertNotNull(app.state.seen?.answers?.single()?.score)
        app.onEvent(Event.ChooseThreshold(score + 0.01f))
        assertEquals(emptyList(), app.state.seen?.answers)
        // Another unit is another load, with the same least score.
        app.onEvent(Event.ChooseUnit(ComputeUnit.CPU))
        assertEquals(emptyList(), app.state.seen?.answers)
        app.onEvent(Event.ChooseThreshold(null))
        assertEquals(score, app.state.seen?.answers?.single()?.score)
        app.onEvent(Event.ChooseThreshold(0.95f))
        app.onEvent(Event.ChooseBundle("sums"))
        assertEquals(null to null, app.state.threshold to app.state.chosen?.threshold)
        app.onEvent(Event.ChooseBundle("spots"))
        assertEquals(score, app.state.seen?.answers?.single()?.score)
    }

    @Test
    fun `boxes are in pixels of the upright image`() {
        val app = phone.started("spots")
        app.onFrame(frame(Orientation(1), width = 8, height = 2))
        assertEquals(2 to 8, app.state.seen?.let { it.width to it.height })
        val box = assertNotNull(app.state.seen?.answers?.single()?.box)
        assertTrue(box.x2 <= 2 && box.y2 > 2, "$box")
    }

    @Test
    fun `a camera that fails shows nothing old, and is tried again`() {
        val later = Later()
        phone.shelf.bundles += phone.shelved("sums")
        val app = phone.controller(analyzer = later).also { it.start() }
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
        app.onEvent(Event.RetryCamera)
        assertEquals(CameraState.On, app.state.camera)
        app.onFrame(frame())
        later.runAll()
        assertNotNull(app.state.seen)
    }

    @Test
    fun `a camera that fails while a photo is shown leaves the photo`() {
        val app = phone.started("sums")
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        val before = app.moment
        app.onCameraProblem("another app took it")
        assertEquals(before.state.seen, assertNotNull(app.state.seen))
        assertSame(before.image, assertNotNull(app.moment.image))
    }

    @Test
    fun `the other camera is asked for where there is one, also after the first failed`() {
        val app = phone.started("sums")
        assertFalse(app.state.lens.switchable)
        app.onLens(Lens(switchable = true))
        assertTrue(app.state.lens.switchable)
        app.onFrame(frame())
        app.onEvent(Event.SwitchCamera)
        assertEquals(true to null, app.state.front to app.state.seen)
        assertNull(app.moment.image)
        app.onCameraProblem("it failed")
        app.onEvent(Event.SwitchCamera)
        assertEquals(false to CameraState.On, app.state.front to app.state.camera)
    }

    @Test
    fun `of frames that come while one is looked at the newest is next, and none is queued`() {
        val later = Later()
        phone.shelf.bundles += phone.shelved("sums")
        val app = phone.controller(analyzer = later).also { it.start() }
        for (width in listOf(2, 4, 6, 8)) app.onFrame(frame(width = width))
        assertEquals(1, later.waiting.size)
        later.runAll()
        assertTrue(app.free)
        assertEquals(2 to 8, app.state.latencies.size to app.state.seen?.width)
    }

    @Test
    fun `a frame that was prepared for a model that is gone says nothing of the next`() {
        val later = Later()
        phone.shelf.bundles += listOf(phone.shelved("sums"), phone.shelved("spots"))
        val app = phone.controller(analyzer = later).also { it.start() }
        app.onFrame(frame())
        app.onEvent(Event.ChooseBundle("spots"))
        later.runAll()
        assertEquals(emptyList(), app.state.seen?.answers)
        app.onFrame(frame())
        later.runAll()
        assertEquals("spot", app.state.seen?.answers?.single()?.label)
    }

    /** From the camera's bytes to the state: before, the picture for the screen alone was 3 MB per frame. */
    @Test
    fun `a frame makes the state and its answers anew, and little else`() {
        val app = phone.started("spots")
        val frame = frame(Orientation(1), width = 640, height = 480)
        val perFrame = allocated { app.onFrame(frame) }
        assertTrue(app.state.latencies.size == HISTORY)
        assertTrue(perFrame < 4000, "$perFrame bytes per frame")
    }

    @Test
    fun `a frame whose planes are too short is one sentence`() {
        val app = phone.started("sums")
        val short = Plane(ByteArray(3), 4)
        app.onFrame(CameraFrame(Yuv420(4, 2, short, short, short), frame().matrix, frame().range, Orientation(), false))
        assertContains(assertNotNull(app.state.problem), "plane y")
        assertTrue(app.free)
    }

    @Test
    fun `a network that fails is told once and looks at nothing more`() {
        val app = phone.started("sums")
        phone.opener.running = { throw SamesightError("LiteRT refuses: out of memory") }
        app.onFrame(frame())
        assertEquals("LiteRT refuses: out of memory", assertIs<Model.Failed>(app.state.model).sentence)
        phone.opener.running = { error("looked at again") }
        app.onFrame(frame())
        assertEquals(emptyList<samesight.contract.Answer>() to null, app.state.seen?.answers to app.state.problem)
        phone.opener.running = {}
        app.onEvent(Event.ChooseArtifact("sums.fp32"))
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.answers?.size)
    }

    @Test
    fun `too little memory is one sentence`() {
        val app = phone.started("sums")
        phone.opener.running = { throw OutOfMemoryError() }
        app.onFrame(frame())
        assertContains(assertIs<Model.Failed>(app.state.model).sentence, "not enough memory")
    }

    @Test
    fun `a photo is looked at, and again with another model, until the camera is used`() {
        phone.shelf.bundles += listOf(phone.shelved("sums"), phone.shelved("spots", background = listOf(1, 2, 3)))
        val app = phone.controller().also { it.start() }
        val backgrounds = mutableListOf<List<Int>>()
        phone.photo = { background ->
            backgrounds += background.toList()
            Picture(ByteArray(18) { 90 }, 3, 2, Orientation(1))
        }
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        assertEquals(Source.PHOTO to 2, app.state.source to app.state.seen?.width)
        app.onFrame(frame())
        assertEquals(2, app.state.seen?.width)
        assertFalse(app.free)
        app.onEvent(Event.ChooseBundle("spots"))
        assertEquals("spot", app.state.seen?.answers?.single()?.label)
        assertEquals(listOf(listOf(255, 255, 255), listOf(1, 2, 3)), backgrounds)
        app.onEvent(Event.UseCamera)
        assertEquals(Source.CAMERA, app.state.source)
        assertNull(app.state.seen)
        assertNull(app.moment.image)
        app.onEvent(Event.ChooseBundle("sums"))
        assertEquals(2, backgrounds.size)
    }

    @Test
    fun `a photo that cannot be read is one sentence, and the camera goes on`() {
        val app = phone.started("sums")
        phone.photo = { throw SamesightError("a.jpg: is no image") }
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        assertEquals("a.jpg: is no image" to Source.CAMERA, app.state.problem to app.state.source)
        phone.photo = { throw IOException("a fault of ours") }
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        assertContains(assertNotNull(app.state.problem), "a fault of ours")
    }

    @Test
    fun `a photo that is chosen while an older one waits is the one that is shown`() {
        val later = Later()
        phone.shelf.bundles += phone.shelved("sums")
        val app = phone.controller(analyzer = later).also { it.start() }
        later.runAll()
        app.onPhoto(picked("a.jpg", ByteArray(0)))
        app.onPhoto(picked("b.jpg", ByteArray(0)))
        var read = 0
        phone.photo = { Picture(ByteArray(3), 1, 1).also { read++ } }
        later.runAll()
        assertEquals(1, read)
        app.onPhoto(picked("c.jpg", ByteArray(0)))
        app.onEvent(Event.UseCamera)
        later.runAll()
        assertNull(app.state.seen)
    }
}
