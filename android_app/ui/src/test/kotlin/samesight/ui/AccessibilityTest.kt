@file:OptIn(ExperimentalTestApi::class)

package samesight.ui

import androidx.compose.foundation.layout.Box
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.semantics.getOrNull
import androidx.compose.ui.test.ComposeUiTest
import androidx.compose.ui.test.ExperimentalTestApi
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onRoot
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performSemanticsAction
import androidx.compose.ui.test.performTouchInput
import androidx.compose.ui.test.pinch
import androidx.compose.ui.test.runDesktopComposeUiTest
import kotlin.math.roundToInt
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import samesight.contract.ComputeUnit
import samesight.contract.Task

/** The least side of what a finger is to meet, in dp (Material Design 3, "Touch targets"). */
private const val FINGER = 48
private const val LINE = 4
private const val HEIGHT = 3000

/** What a screen reader says, and what a touch tells; Compose for desktop has the semantics of Android's. */
class AccessibilityTest {
    @TestFactory
    fun `all that can be touched has a name and room for a finger`() = SHOTS.map { shot ->
        DynamicTest.dynamicTest(shot.name) {
            showing(shot.state, shot.open) {
                val touched = flat(onRoot().fetchSemanticsNode()).filter { SemanticsActions.OnClick in it.config }
                // Of the layout: what is drawn may be smaller.
                val faults = touched.filter { words(it).isBlank() || it.layoutInfo.run { minOf(width, height) } < FINGER }
                assertEquals(emptyList(), faults.map { "'${words(it)}' ${it.layoutInfo.width} x ${it.layoutInfo.height}" })
            }
        }
    }

    @Test
    fun `each thing is read once, with its unit and its verdict`() {
        val expected =
            """
            digits, heading
            Torch on, button
            Switch to the front camera, button
            Camera image: 3, 92 %
            Choose a photo, button
            Pause, button
            Zoom 1.0×, button
            3
            92 %
            CPU · 1.4 ms · certain, button
            """
        showing(classifying) { assertEquals(expected.trimIndent(), read(onRoot().fetchSemanticsNode())) }
    }

    @Test
    fun `so is the sheet`() {
        val expected =
            """
            CPU · 1.4 ms · certain, button
            3, 92 %
            7, 1 %
            0, 1 %
            What really ran, heading
            CPU · certain
            1.4 ms a run · first 4.1 ms · load 8.2 ms
            NPU, refused: the NPU is not among the accelerators that LiteRT finds here: [CPU, GPU]
            GPU, slower than the CPU · 2.3 ms a run · first 9.8 ms · load 212 ms
            Last 60 images: 3.3 ms an image; image 1.3 ms, network 1.8 ms, answers 0.3 ms
            Task, heading
            Classification, selected
            Detection, not selected
            Model, heading
            digits, 10 labels, selected
            Open a packed bundle, button
            Engine, heading
            int8 · LiteRT, selected
            fp16 · LiteRT, not selected
            int8 · ExecuTorch, without a passing verdict, not selected
            Unit, heading
            Best that works, selected
            NPU, not selected
            GPU, not selected
            CPU, not selected
            Self-test, Does this phone give the server's answers?, button
            """
        showing(classifying, open = true) {
            // What lies below the sheet is read where it stands; a finger does not reach it.
            val below = setOf("Choose a photo, button", "Pause, button", "Zoom 1.0×, button")
            val read = read(onRoot().fetchSemanticsNode()).lines().filter { it !in below }
            val sheet = read.dropWhile { it != expected.trim().lines().first() }
            assertEquals(expected.trimIndent(), sheet.joinToString("\n"))
        }
    }

    @Test
    fun `a result of the self-test is one sentence, whatever its colour`() {
        val expected =
            """
            One failure
            scenes.fp32.tflite on the GPU: output logits has 38.2 dB against the server model, its gate is 40 dB
            scenes.int8.tflite, heading
            CPU, matches, 27 dB · 2.2 ms a run · first 4.0 ms · load 8.0 ms, certain
            GPU, not used, LiteRT refuses: Failed to compile model
            """
        showing(tested) {
            val read = read(onRoot().fetchSemanticsNode())
            assertContains(read, expected.trimIndent())
            assertContains(read, "GPU, differs, 38 dB · slower than the CPU")
        }
    }

    @Test
    fun `two fingers zoom, where the lens does`() {
        for ((state, zooms) in listOf(classifying to true, classifying.copy(lens = Lens()) to false, paused to false)) {
            val told = mutableListOf<Event>()
            showing(state, onEvent = told::add) {
                onRoot().performTouchInput {
                    pinch(Offset(150f, 900f), Offset(100f, 900f), Offset(210f, 900f), Offset(260f, 900f))
                }
                val by = told.filterIsInstance<Event.ZoomBy>().fold(1f) { all, event -> all * event.factor }
                // From 60 to 160 pixels apart, less what the gesture's detector needs to be sure.
                assertTrue(if (zooms) by in 1.5f..2.7f else by == 1f, "$by")
            }
        }
    }

    @Test
    fun `the least score is moved`() {
        val told = mutableListOf<Event>()
        showing(detecting, open = true, told::add) {
            onNode(hasContentDescription("Least score")).performSemanticsAction(SemanticsActions.SetProgress) { it(0.6f) }
            assertEquals(listOf<Event>(Event.ChooseThreshold(0.6f)), told.toList())
        }
    }

    @TestFactory
    fun `a touch tells what it says`() = TOUCHES.map { (state, name, event) ->
        DynamicTest.dynamicTest(name) {
            val told = mutableListOf<Event>()
            showing(state, onEvent = told::add) {
                val node = onNode(hasClickAction() and (hasText(name) or hasContentDescription(name)))
                // What the sheet hides is off the screen until it is drawn up.
                if (!onScreen(node.fetchSemanticsNode())) open(state)
                node.performClick()
                assertEquals(listOf(event), told.toList())
            }
        }
    }
}

private val idle = tested.copy(selfTest = SelfTest.Idle)
private val running = tested.copy(selfTest = SelfTest.Running(3, 12, "scenes.int8.tflite on the GPU"))

private val TOUCHES: List<Triple<State, String, Event>> =
    listOf(
        Triple(opened, "Detection", Event.ChooseTask(Task.DETECTION)),
        Triple(opened, "digits, 10 labels, opened from a file", Event.ChooseBundle("digits")),
        Triple(opened, "Remove digits, which was opened from a file", Event.RemoveBundle("digits")),
        Triple(opened, "Open a packed bundle", Event.OpenBundle),
        Triple(opened, "fp16 · LiteRT", Event.ChooseArtifact("digits.fp16.tflite")),
        Triple(opened, "GPU", Event.ChooseUnit(ComputeUnit.GPU)),
        Triple(opened, "Best that works", Event.ChooseUnit(null)),
        Triple(opened.copy(source = Source.PHOTO, still = true), "Back to the camera", Event.UseCamera),
        Triple(opened, "Switch to the front camera", Event.SwitchCamera),
        Triple(opened, "Choose a photo", Event.PickPhoto),
        Triple(opened, "Pause", Event.Pause),
        Triple(opened, "Torch on", Event.Torch(true)),
        Triple(opened.copy(torch = true), "Torch off", Event.Torch(false)),
        Triple(opened, "Zoom 1.0×", Event.ZoomTo(2f)),
        Triple(opened.copy(zoom = 8f), "Zoom 8.0×", Event.ZoomTo(1f)),
        Triple(paused, "Go on", Event.Resume),
        Triple(paused, "Save the picture with its boxes", Event.SavePicture),
        Triple(paused, "Share the picture and its results", Event.Share),
        Triple(detecting.copy(threshold = 0.7f), "Back to 40 %", Event.ChooseThreshold(null)),
        Triple(opened, "Self-test", Event.ShowSelfTest),
        Triple(opened.copy(model = Model.Released), "Load again", Event.LoadAgain),
        Triple(opened.copy(success = "saved"), "Dismiss", Event.Dismiss),
        Triple(failing, "Dismiss", Event.Dismiss),
        Triple(denied, "Allow the camera", Event.AllowCamera),
        Triple(denied, "Choose a photo", Event.PickPhoto),
        Triple(stopped, "Try again", Event.RetryCamera),
        Triple(stopped.copy(front = true), "Switch to the back camera", Event.SwitchCamera),
        Triple(State(), "Open a packed bundle", Event.OpenBundle),
        Triple(idle, "Run", Event.RunSelfTest),
        Triple(idle, "Back", Event.Back),
        Triple(running, "Cancel", Event.CancelSelfTest),
        Triple(tested, "Save results", Event.SaveResults),
        Triple(tested, "Share the results", Event.ShareResults),
        Triple(tested, "Run again", Event.RunSelfTest),
    )

/** On a screen so high that all is on it; the sheet drawn up if [open] and there is one. */
private fun showing(state: State, open: Boolean = false, onEvent: (Event) -> Unit = {}, check: ComposeUiTest.() -> Unit) =
    runDesktopComposeUiTest(360, HEIGHT) {
        setContent { SamesightTheme { SamesightApp(state, { Box(it) }, onEvent = onEvent) } }
        if (open) open(state)
        check()
    }

private fun ComposeUiTest.open(state: State) {
    onNode(hasClickAction() and hasText(statusLine(state.model))).performClick()
    waitForIdle()
}

private fun onScreen(node: SemanticsNode) = node.positionInRoot.y < HEIGHT

private fun flat(node: SemanticsNode): List<SemanticsNode> = listOf(node) + node.children.flatMap(::flat)

/** What is stopped at, from above, as the screen reader goes. */
private fun read(root: SemanticsNode): String =
    flat(root)
        .filter { words(it).isNotEmpty() && onScreen(it) }
        // What stands in one line differs in height.
        .sortedWith(compareBy({ (it.boundsInRoot.center.y / LINE).roundToInt() }, { it.boundsInRoot.left }))
        .joinToString("\n") { node -> listOfNotNull(words(node), kind(node)).joinToString() }

/** A description is said instead of the text. */
private fun words(node: SemanticsNode): String {
    val description = node.config.getOrNull(SemanticsProperties.ContentDescription)
    val text = node.config.getOrNull(SemanticsProperties.Text)?.map { it.text }
    return (description ?: text).orEmpty().joinToString()
}

private fun kind(node: SemanticsNode): String? {
    val selected = node.config.getOrNull(SemanticsProperties.Selected)
    return when {
        selected != null -> if (selected) "selected" else "not selected"
        SemanticsActions.OnClick in node.config -> "button"
        SemanticsProperties.Heading in node.config -> "heading"
        else -> null
    }
}
