package samesight.ui

import androidx.compose.foundation.Image
import androidx.compose.runtime.Composable
import androidx.compose.ui.ImageComposeScene
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.graphics.toComposeImageBitmap
import androidx.compose.ui.input.pointer.PointerEventType
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.platform.Font
import androidx.compose.ui.unit.Density
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

/** Sizes in dp, of so many pixels each; [scrolled]: as far down as it goes, at the left. */
internal class Shot(
    val name: String,
    val state: State,
    val width: Int = 360,
    val height: Int = 760,
    val dark: Boolean = false,
    val letters: Float = 1f,
    val pixels: Int = 1,
    val scrolled: Boolean = false,
)

internal val SHOTS =
    listOf(
        Shot("classification", classifying, pixels = 2),
        Shot("detection", detecting, dark = true, pixels = 2),
        Shot("landscape", detecting, width = 760, height = 360),
        Shot("large-letters", classifying, letters = 2f),
        Shot("no-bundles", State()),
        Shot("no-bundles-problem", State(problem = "digits.zip: damaged or not a packed bundle; pack and copy it again")),
        Shot("no-bundles-large", State(), width = 760, height = 360, letters = 2f),
        Shot("opening", classifying.copy(opening = "scenes.zip"), dark = true),
        Shot("opened", classifying.copy(bundles = listOf(digits.copy(opened = true), scenes)), height = 1000),
        Shot("reading", State(model = Model.Loading)),
        Shot("camera-asked", classifying.copy(camera = Camera.Asked, seen = null, latencies = emptyList())),
        Shot("camera-denied", denied),
        Shot("camera-denied-large", denied, width = 760, height = 360, letters = 2f, scrolled = true),
        Shot("camera-failed", stopped),
        Shot("loading", classifying.copy(model = Model.Loading, seen = null, latencies = emptyList())),
        Shot("memory-low", classifying.copy(model = Model.Released, latencies = emptyList())),
        Shot("failed", failing),
        Shot("self-test", detecting.copy(testing = true), dark = true),
        Shot("self-test-running", detecting.copy(testing = true, selfTest = SelfTest.Running(3, 12, "scenes.int8.tflite on the GPU"))),
        Shot("self-test-done", tested),
        Shot("self-test-refused", refused),
        Shot("self-test-saved", tested.copy(success = "The results are saved as device-parity.json"), dark = true),
    )

/** Set by hand to take new references: `mvn test -pl ui -am -Dsamesight.record=true`. */
private val RECORD = System.getProperty("samesight.record") == "true"
private val REFERENCES = File("src/test/screenshots")
private val FAULTS = File("target/screenshots")

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

    @Test
    fun `a moved box is noticed`() {
        val seen = detecting.seen!!
        val box = seen.answers[0].box!!
        val moved = seen.answers[0].copy(box = box.copy(x1 = box.x1 - 4, x2 = box.x2 - 4))
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
        // Bars and sizes settle in the frames after the first.
        scene.render(0)
        if (shot.scrolled) {
            val corner = Offset(shot.width / 4f, shot.height / 2f)
            scene.sendPointerEvent(PointerEventType.Scroll, corner, scrollDelta = Offset(0f, 100f))
            // A wheel's turn is drawn frame by frame.
            for (frame in 1..60) scene.render(frame * 16_000_000L)
        }
        return scene.render(1_000_000_000).encodeToData(EncodedImageFormat.PNG)!!.bytes
    } finally {
        scene.close()
    }
}

@Composable
private fun Screen(shot: Shot) {
    val letters = FontFamily(Font("letters", resource("letters.ttf")))
    val preview: Preview = { modifier: Modifier ->
        val name = if (shot.state.chosen == scenes) "scene.jpg" else "digit.jpg"
        val image = SkiaImage.makeFromEncoded(resource(name)).toComposeImageBitmap()
        Image(image, null, modifier, contentScale = ContentScale.FillBounds)
    }
    SamesightTheme(shot.dark, letters) { SamesightApp(shot.state, preview) {} }
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
