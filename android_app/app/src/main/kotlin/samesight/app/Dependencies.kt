package samesight.app

import java.io.InputStream
import samesight.contract.Bundle
import samesight.contract.ComputeUnit
import samesight.contract.Device
import samesight.contract.Picture
import samesight.contract.SamesightError
import samesight.engine.Opener
import samesight.engine.TrialNotes
import samesight.ui.State

// What the controller needs of the system around it; tests have their own.

/** A bundle that can be chosen. [opened]: from a file that a person picked, not part of the app. */
class Shelved(val bundle: Bundle, val opened: Boolean)

/**
 * A file that a person picked: what it is called, its length, and its bytes; each may take a while.
 *
 * @param sized null where its provider does not say.
 */
class Picked(called: () -> String, sized: () -> Long? = { null }, val open: () -> InputStream) {
    val name: String by lazy(called)
    val bytes: Long? by lazy(sized)
}

/** Where bundles come from. Its calls read whole files and take a while. */
interface Shelf {
    /** Every bundle that can be opened, one of each name; for each other one [onProblem] gets a sentence. */
    fun all(onProblem: (String) -> Unit): List<Shelved>

    /**
     * Keeps what `samesight pack` made; a bundle of the same name that was opened before is replaced.
     *
     * @throws SamesightError it cannot be read or is not whole; then nothing is kept of it.
     */
    fun take(packed: Picked): Shelved

    /**
     * Removes a bundle that [take] kept; the app's own of that name, which it hid, is there again.
     *
     * @throws SamesightError the system does not let it go.
     */
    fun remove(name: String)
}

/** What a person chose, kept for the next start. */
data class Choices(val bundle: String? = null, val artifact: String? = null, val unit: ComputeUnit? = null)

/** Keeps [Choices]. */
interface Memory {
    var choices: Choices
}

/**
 * What runs artifacts on this device.
 *
 * @property openers by the format that they take; the runtimes are loaded when this is asked for first.
 * @property notes of what its units did at earlier starts; null where nothing is kept.
 * @property soc the chip's model, as `Build.SOC_MODEL` names it; null where the system does not tell.
 */
interface Runtimes {
    val openers: Map<String, Opener>
    val device: Device
    val notes: TrialNotes?
    val soc: String?
}

/** Decodes photos. */
fun interface Photos {
    /**
     * @param background RGB, each 0..255, for what is transparent.
     * @throws SamesightError not an image that this device reads; one sentence with the file's name.
     */
    fun read(photo: Picked, background: IntArray): Picture
}

/** An image for people, upright: colours as the screen takes them, row by row, so that its thread need not make them. */
class Pixels(val colours: IntArray, val width: Int, val height: Int)

/** What is shown at one moment: [image] is the one whose answers [state] has. */
class Moment(val state: State, val image: Pixels?)
