package samesight.ui

import androidx.compose.foundation.Image
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.runtime.Composable
import androidx.compose.ui.ImageComposeScene
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.graphics.toArgb
import androidx.compose.ui.graphics.toAwtImage
import androidx.compose.ui.graphics.toComposeImageBitmap
import androidx.compose.ui.input.pointer.PointerEventType
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.createFontFamilyResolver
import androidx.compose.ui.text.platform.Font
import androidx.compose.ui.unit.Density
import androidx.compose.ui.unit.dp
import java.awt.image.BufferedImage
import java.io.File
import javax.imageio.ImageIO
import kotlin.math.abs
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.jetbrains.skia.EncodedImageFormat
import org.jetbrains.skia.Image as SkiaImage
import org.jetbrains.skiko.Library
import org.junit.jupiter.api.Assertions.assertAll
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory

/**
 * Sizes in dp, of so many pixels each.
 *
 * @property scrolled as far down as it goes, at the left.
 * @property open the sheet is drawn up.
 */
internal class Shot(
    val name: String,
    val state: State,
    val width: Int = 360,
    val height: Int = 760,
    val dark: Boolean = false,
    val letters: Float = 1f,
    val pixels: Int = 1,
    val scrolled: Boolean = false,
    val open: Boolean = false,
)

/** What a phone's status bar and navigation bar take, in dp. */
internal const val STATUS_BAR = 28
internal const val NAVIGATION_BAR = 20

internal val SHOTS =
    listOf(
        Shot("classification", classifying, pixels = 2),
        Shot("detection", detecting, dark = true, pixels = 2),
        Shot("paused", paused, pixels = 2),
        Shot("story", detecting, pixels = 2, open = true),
        Shot("threshold", strict, dark = true, open = true),
        Shot("choices", opened, height = 1500, open = true),
        Shot("photo", detecting.copy(source = Source.PHOTO, still = true)),
        Shot("zoomed", detecting.copy(zoom = 2f, torch = true)),
        Shot("landscape", detecting, width = 760, height = 360),
        Shot("tablet", detecting.copy(threshold = 0.5f), width = 1000, height = 700),
        Shot("large-letters", classifying, letters = 2f),
        Shot("large-letters-open", detecting, letters = 2f, open = true),
        Shot("no-bundles", State()),
        Shot("no-bundles-problem", State(problem = "digits.zip: damaged or not a packed bundle; pack and copy it again")),
        Shot("no-bundles-large", State(), width = 760, height = 360, letters = 2f),
        Shot("opening", classifying.copy(opening = "scenes.zip"), dark = true),
        Shot("reading", State(model = Model.Loading)),
        Shot("camera-asked", classifying.copy(camera = Camera.Asked, seen = null, latencies = emptyList())),
        Shot("camera-denied", denied),
        Shot("camera-denied-large", denied, width = 760, height = 360, letters = 2f, scrolled = true),
        Shot("camera-failed", stopped),
        Shot("loading", classifying.copy(model = Model.Loading, seen = null, latencies = emptyList())),
        Shot("memory-low", classifying.copy(model = Model.Released, latencies = emptyList())),
        Shot("failed", failing, open = true),
        Shot("self-test", detecting.copy(testing = true), dark = true),
        Shot("self-test-running", detecting.copy(testing = true, selfTest = SelfTest.Running(3, 12, "scenes.int8.tflite on the GPU"))),
        Shot("self-test-done", tested, pixels = 2),
        Shot("self-test-refused", refused),
        Shot("self-test-saved", tested.copy(success = "The results are saved as device-parity.json"), dark = true),
    )

/** Set by hand to take new references: `mvn test -pl ui -am -Dsamesight.record=true`. */
private val RECORD = System.getProperty("samesight.record") == "true"
private val REFERENCES = File("src/test/screenshots")
private val FAULTS = File("target/screenshots")

/** Nanoseconds. */
private const val FRAME = 16_000_000L

// Letters are smoothed by Skia alone, but other versions of it may round otherwise at edges.
private const val LEVELS = 24
private const val SHARE = 0.002

class ScreenshotTest {
    companion object {
        @BeforeAll
        @JvmStatic
        fun `this computer renders`() {
            try {
                Library.load()
            } catch (problem: LinkageError) {
                assumeTrue(System.getenv("CI") != null, "$problem; on Linux install libgl1 libx11-6 libfontconfig1")
                throw problem
            }
        }
    }

    @TestFactory
    fun `screens look as they did`() = SHOTS.map { shot ->
        DynamicTest.dynamicTest(shot.name) {
            val file = File(REFERENCES, "${shot.name}.png")
            val found = render(shot)
            if (RECORD) {
                file.writeBytes(found)
            } else {
                compare(shot.name, ImageIO.read(found.inputStream()), ImageIO.read(file))
            }
        }
    }

    @Test
    fun `no reference is left over`() {
        assertEquals(SHOTS.map { "${it.name}.png" }.sorted(), REFERENCES.list().orEmpty().sorted())
    }

    /** Two digits' boxes and nothing else differ from the image itself. */
    @Test
    fun `a picture for a file is the image with its boxes, large enough to read`() {
        val image = image(paused)
        val picture = pictureWithAnswers(image, paused, paused.seen!!, createFontFamilyResolver(), FontFamily(Font("letters", resource("letters.ttf"))))
        assertEquals(576 to 800, picture.width to picture.height)
        val plain = pictureWithAnswers(image, paused, paused.seen.copy(answers = emptyList()), createFontFamilyResolver())
        val (drawn, empty) = listOf(picture, plain).map { it.toAwtImage() }
        // Half a line's width beside the corner of the 2: of its hue, and away from boxes of the image's.
        val (x, y) = (4 * 40.82f).toInt() to (4 * 100)
        assertEquals(hue(2).toArgb(), drawn.getRGB(x, y))
        assertEquals(empty.getRGB(500, 20), drawn.getRGB(500, 20))
        val share = differing(drawn, empty)
        assertTrue(share in 0.02..0.12, "$share")
    }

    @Test
    fun `answers as text name the model, what ran and every box`() {
        val text = answersAsText(paused, paused.seen!!).lines()
        assertEquals("scenes, scenes.fp16.tflite, GPU · 2.3 ms · certain, image of 144 x 200 pixels", text.first())
        assertEquals("2, 87 %, box 0.0 68.6 40.8 127.5", text[2])
        assertEquals(6, text.size)
        assertEquals("Nothing found", answersAsText(paused, paused.seen.copy(answers = emptyList())).lines().last())
    }

    @Test
    fun `a moved box is noticed`() {
        val seen = detecting.seen!!
        val box = seen.answers[0].box!!
        val moved = seen.answers[0].copy(box = box.copy(x1 = box.x1 - 2, x2 = box.x2 - 2))
        val other = detecting.copy(seen = seen.copy(answers = listOf(moved) + seen.answers.drop(1)))
        val before = ImageIO.read(render(Shot("", detecting)).inputStream())
        val after = ImageIO.read(render(Shot("", other)).inputStream())
        assertTrue(differing(before, after) > SHARE)
    }
}

private fun render(shot: Shot): ByteArray {
    val density = Density(shot.pixels.toFloat(), shot.letters)
    val scene = ImageComposeScene(shot.pixels * shot.width, shot.pixels * shot.height, density) { Screen(shot) }
    try {
        var frames = 0L
        // Bars and sizes settle in the frames after the first; what moves is drawn frame by frame.
        val settle = { repeat(60) { scene.render(frames++ * FRAME) } }
        settle()
        if (shot.open) {
            // The line of what ran stands above the navigation bar.
            val line = shot.pixels * Offset(shot.width / 4f, shot.height - NAVIGATION_BAR - 24f)
            for (kind in listOf(PointerEventType.Press, PointerEventType.Release)) scene.sendPointerEvent(kind, line)
            // Else the pointer, which a finger is not, would rest on what comes to lie below it.
            scene.sendPointerEvent(PointerEventType.Move, Offset(1f, 1f))
            settle()
        }
        if (shot.scrolled) {
            val corner = shot.pixels * Offset(shot.width / 4f, shot.height / 2f)
            scene.sendPointerEvent(PointerEventType.Scroll, corner, scrollDelta = Offset(0f, 100f))
            settle()
        }
        return scene.render(frames * FRAME).encodeToData(EncodedImageFormat.PNG)!!.bytes
    } finally {
        scene.close()
    }
}

private operator fun Int.times(offset: Offset) = offset * toFloat()

@Composable
private fun Screen(shot: Shot) {
    val letters = FontFamily(Font("letters", resource("letters.ttf")))
    val image = image(shot.state)
    val preview: Preview = { modifier: Modifier -> Image(image, null, modifier, contentScale = ContentScale.FillBounds) }
    val bars = WindowInsets(top = STATUS_BAR.dp, bottom = NAVIGATION_BAR.dp)
    SamesightTheme(shot.dark, letters) { SamesightApp(shot.state, preview, bars) {} }
}

private fun image(state: State): ImageBitmap {
    val name = if (state.chosen == scenes) "scene.png" else "digit.png"
    return SkiaImage.makeFromEncoded(resource(name)).toComposeImageBitmap()
}

private fun resource(name: String): ByteArray = ScreenshotTest::class.java.getResourceAsStream("/$name")!!.readBytes()

private fun compare(name: String, found: BufferedImage, expected: BufferedImage) {
    val share = differing(found, expected)
    if (share > SHARE) {
        FAULTS.mkdirs()
        ImageIO.write(found, "png", File(FAULTS, "$name.png"))
    }
    assertAll(
        { assertEquals(expected.width to expected.height, found.width to found.height) },
        { assertTrue(share <= SHARE, "%.2f %% of the pixels differ; see target/screenshots/$name.png".format(100 * share)) },
    )
}

/** The share of pixels of which a channel differs by more than some levels; 1 for other sizes. */
private fun differing(one: BufferedImage, other: BufferedImage): Double {
    if (one.width != other.width || one.height != other.height) return 1.0
    var count = 0
    for (y in 0 until one.height) {
        for (x in 0 until one.width) {
            val a = one.getRGB(x, y)
            val b = other.getRGB(x, y)
            if ((0..16 step 8).any { abs((a shr it and 255) - (b shr it and 255)) > LEVELS }) count++
        }
    }
    return count.toDouble() / (one.width * one.height)
}
