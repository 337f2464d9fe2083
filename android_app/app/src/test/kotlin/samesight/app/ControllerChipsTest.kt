package samesight.app

import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import org.junit.Rule
import org.junit.Test
import samesight.contract.ComputeUnit
import samesight.ui.Event
import samesight.ui.Model
import samesight.ui.SelfTest

/** Artifacts that were compiled for some chips alone, beside one that runs anywhere. */
internal class ControllerChipsTest {
    @get:Rule val phone = FakePhone()

    private fun started(soc: String?, passed: Map<String, Boolean> = mapOf("plain" to true)): Controller {
        phone.soc = soc
        val artifacts = mapOf("plain" to "litert", "qualcomm" to "litert", "tensor" to "litert")
        val chips = mapOf("qualcomm" to listOf("SM8650", "SM8750"), "tensor" to listOf("Tensor G3"))
        phone.shelf.bundles += phone.shelved("sums", artifacts, passed, soc = chips)
        return phone.controller().also { it.start() }
    }

    private fun Controller.offered() = state.artifacts.map { it.name to it.unit }

    @Test
    fun `what is for another chip is not offered, and that is said`() {
        val app = started("SM8550")
        assertEquals(listOf("plain" to ComputeUnit.CPU), app.offered())
        val expected =
            listOf(
                "qualcomm is for SM8650 and SM8750, and this device has SM8550",
                "tensor is for Tensor G3, and this device has SM8550",
            )
        assertEquals(expected, app.state.notOffered)
        assertIs<Model.Ready>(app.state.model)
        val unnamed = started(null)
        assertContains(unnamed.state.notOffered.first(), "does not name its chip")
    }

    @Test
    fun `what is for this chip is chosen before what runs anywhere`() {
        for (soc in listOf("SM8750", "sm8750")) {
            phone.shelf.bundles.clear()
            val app = started(soc)
            assertEquals(listOf("plain" to ComputeUnit.CPU, "qualcomm" to ComputeUnit.NPU), app.offered())
            assertEquals("qualcomm", app.state.artifact)
            assertEquals(listOf("tensor is for Tensor G3, and this device has $soc"), app.state.notOffered)
        }
        phone.shelf.bundles.clear()
        assertEquals("plain", started("Tensor G3", mapOf("plain" to true, "tensor" to false)).state.artifact)
    }

    @Test
    fun `where it does not run what runs anywhere is used, and that is said`() {
        phone.opener.refused = setOf("tensor")
        val app = started("Tensor G3")
        assertIs<Model.Ready>(app.state.model)
        assertEquals("plain", app.state.artifact)
        assertContains(app.state.notOffered.last(), Regex("tensor is not used: .*no library for tensor"))
        // An app with the library takes it by itself.
        phone.opener.refused = emptySet()
        assertEquals("tensor", phone.controller().also { it.start() }.state.artifact)
    }

    @Test
    fun `what a person chose is not replaced, also at the next start`() {
        phone.opener.refused = setOf("tensor")
        val app = started("Tensor G3")
        app.onEvent(Event.ChooseArtifact("tensor"))
        assertContains(assertIs<Model.Failed>(app.state.model).sentence, "no library for tensor")
        val again = phone.controller().also { it.start() }
        assertEquals("tensor", again.state.artifact)
        assertIs<Model.Failed>(again.state.model)
        again.onEvent(Event.ChooseArtifact("plain"))
        assertEquals("plain", phone.controller().also { it.start() }.state.artifact)
    }

    @Test
    fun `the self-test leaves out what is for other chips`() {
        val app = started("SM8650")
        app.onEvent(Event.RunSelfTest)
        val runs = assertIs<SelfTest.Done>(app.state.selfTest).runs
        assertEquals(setOf("plain", "qualcomm"), runs.map { it.artifact }.toSet())
    }
}
