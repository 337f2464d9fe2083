@file:OptIn(ExperimentalTestApi::class)

package samesight.ui

import androidx.compose.foundation.layout.Box
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
import androidx.compose.ui.test.runDesktopComposeUiTest
import kotlin.math.roundToInt
import kotlin.test.assertContains
import kotlin.test.assertEquals
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import samesight.contract.ComputeUnit
import samesight.contract.Task

/** The least side of what a finger is to meet, in dp (Material Design 3, "Touch targets"). */
private const val FINGER = 48
private const val LINE = 4

/** What a screen reader says, and what a touch tells; Compose for desktop has the semantics of Android's. */
class AccessibilityTest {
    @TestFactory
    fun `all that can be touched has a name and room for a finger`() = SHOTS.map { shot ->
        DynamicTest.dynamicTest(shot.name) {
            showing(shot.state) {
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
            Self-test, button
            Camera image: 8, 91 %
            8, 91 %
            0, 3 %
            3, 1 %
            What really ran, heading
            CPU · no other unit can run it so
            1.4 ms a run · first 4.1 ms · load 8.2 ms
            NPU, refused: the NPU is not among the accelerators that LiteRT finds here: [CPU, GPU]
            GPU, slower than the CPU · 2.3 ms a run · first 9.8 ms · load 212 ms
            Camera, selected
            Photo, not selected
            Task, heading
            Classification, selected
            Detection, not selected
            Model, heading
            digits, 10 labels, selected
            Open …, button
            Engine, heading
            int8 · LiteRT, selected
            fp16 · LiteRT, not selected
            int8 · ExecuTorch, without a passing verdict, not selected
            Unit, heading
            Best that works, selected
            NPU, not selected
            GPU, not selected
            CPU, not selected
            Last 60 images: 3.3 ms an image; image 1.3 ms, network 1.8 ms, answers 0.3 ms
            """
        showing(classifying) { assertEquals(expected.trimIndent(), read(onRoot().fetchSemanticsNode())) }
    }

    @Test
    fun `a result of the self-test is one sentence, whatever its colour`() {
        val expected =
            """
            One failure
            scenes.fp32.tflite on the GPU differs
            scenes.int8.tflite, heading
            CPU, matches, 27 dB · 2.2 ms a run · first 4.0 ms · load 8.0 ms, no other unit can run it so
            GPU, not used, LiteRT refuses: Failed to compile model
            """
        showing(tested) {
            val read = read(onRoot().fetchSemanticsNode())
            assertContains(read, expected.trimIndent())
            assertContains(read, "GPU, differs, 58 dB · slower than the CPU")
        }
    }

    @TestFactory
    fun `a touch tells what it says`() = TOUCHES.map { (state, name, event) ->
        DynamicTest.dynamicTest(name) {
            val told = mutableListOf<Event>()
            showing(state, told::add) {
                onNode(hasClickAction() and (hasText(name) or hasContentDescription(name))).performClick()
                assertEquals(listOf(event), told.toList())
            }
        }
    }
}

private val opened = classifying.copy(bundles = listOf(digits.copy(opened = true), scenes), switchable = true)
private val idle = tested.copy(selfTest = SelfTest.Idle)
private val running = tested.copy(selfTest = SelfTest.Running(3, 12, "scenes.int8.tflite on the GPU"))

private val TOUCHES: List<Triple<State, String, Event>> =
    listOf(
        Triple(opened, "Detection", Event.ChooseTask(Task.DETECTION)),
        Triple(opened, "digits, 10 labels, opened from a file", Event.ChooseBundle("digits")),
        Triple(opened, "Remove digits, which was opened from a file", Event.RemoveBundle("digits")),
        Triple(opened, "Open …", Event.OpenBundle),
        Triple(opened, "fp16 · LiteRT", Event.ChooseArtifact("digits.fp16.tflite")),
        Triple(opened, "GPU", Event.ChooseUnit(ComputeUnit.GPU)),
        Triple(opened, "Best that works", Event.ChooseUnit(null)),
        Triple(opened, "Camera", Event.UseCamera),
        Triple(opened, "Switch to the front camera", Event.SwitchCamera),
        Triple(opened, "Photo", Event.PickPhoto),
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
        Triple(tested, "Run again", Event.RunSelfTest),
    )

/** On a screen so high that all is on it. */
private fun showing(state: State, onEvent: (Event) -> Unit = {}, check: ComposeUiTest.() -> Unit) =
    runDesktopComposeUiTest(360, 2000) {
        setContent { SamesightTheme { SamesightApp(state, { Box(it) }, onEvent) } }
        check()
    }

private fun flat(node: SemanticsNode): List<SemanticsNode> = listOf(node) + node.children.flatMap(::flat)

/** What is stopped at, from above, as the screen reader goes. */
private fun read(root: SemanticsNode): String =
    flat(root)
        .filter { words(it).isNotEmpty() }
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
