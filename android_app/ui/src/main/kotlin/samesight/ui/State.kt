package samesight.ui

import samesight.contract.Answer
import samesight.contract.ComputeUnit
import samesight.contract.Task
import samesight.contract.UnitRun
import samesight.engine.Trial

/**
 * A bundle that can be chosen.
 *
 * @property opened from a file that the person picked, not part of the app.
 * @property threshold the least score (0..1) of what the model finds, by its own spec; null where there is none.
 */
data class BundleChoice(
    val name: String,
    val task: Task,
    val labels: Int,
    val opened: Boolean,
    val threshold: Float? = null,
)

/**
 * An artifact that can be chosen.
 *
 * @property passed the verdict of the server's checks; null where it has none.
 * @property unit what it was made for; the CPU where it runs anywhere.
 */
data class ArtifactChoice(
    val name: String,
    val runtime: String,
    val precision: String,
    val passed: Boolean?,
    val unit: ComputeUnit = ComputeUnit.CPU,
)

/** Where images come from now. */
enum class Source { CAMERA, PHOTO }

/** What is known of the camera. */
sealed interface Camera {
    data object On : Camera

    data object Asked : Camera

    data object Denied : Camera

    data object Absent : Camera

    /** It gives no more frames. */
    data class Failed(val sentence: String) : Camera
}

/**
 * What the camera that runs can do.
 *
 * @property switchable there is a camera on the other side too.
 * @property torch it has a light that stays on.
 * @property leastZoom below 1 where one camera stands for several lenses; [mostZoom] 1: it does not zoom.
 * @property aspect width by height of its upright images.
 */
data class Lens(
    val switchable: Boolean = false,
    val torch: Boolean = false,
    val leastZoom: Float = 1f,
    val mostZoom: Float = 1f,
    val aspect: Float = 3f / 4,
) {
    val zooms: Boolean
        get() = mostZoom > leastZoom
}

/** The model in memory, or why there is none. */
sealed interface Model {
    /** Nothing was chosen yet. */
    data object None : Model

    data object Loading : Model

    /** The system ran low of memory and took it. */
    data object Released : Model

    /** @property trials of all units in the order in which they were requested, [chosen] among them. */
    data class Ready(val chosen: Trial, val trials: List<Trial>) : Model

    data class Failed(val sentence: String) : Model
}

/** Milliseconds of one image: to make the input tensor, to run the network, to read its outputs. */
data class Latency(val preprocess: Float, val network: Float, val answers: Float) {
    val sum: Float
        get() = preprocess + network + answers
}

/** The self-test's state. */
sealed interface SelfTest {
    data object Idle : SelfTest

    data class Running(val done: Int, val total: Int, val what: String) : SelfTest

    /**
     * @property passed of a run: the golden tensors were met and its outputs are near the server model's.
     * @property failures what is wrong of all runs, a sentence each.
     */
    data class Done(val runs: List<UnitRun>, val passed: List<Boolean>, val failures: List<String>) : SelfTest

    data class Failed(val sentence: String) : SelfTest
}

/**
 * What was seen last.
 *
 * @property answers boxes in pixels of the upright image.
 * @property width of the upright image; height likewise.
 */
data class Seen(val answers: List<Answer>, val width: Int, val height: Int)

/**
 * All that the screens show.
 *
 * @property notOffered sentences about artifacts of the bundle that this device cannot use.
 * @property unit that is asked for; null: the best one that works.
 * @property front the camera that looks at the person is asked for.
 * @property paused the camera's image stands still.
 * @property still the image that is shown is the very one that was looked at, so that it can be kept.
 * @property threshold the least score that is asked for; null: the model's own.
 * @property latencies of the last images, the newest last.
 * @property opening what the person calls the file that becomes a bundle now.
 * @property problem one sentence about what went wrong last, until it is dismissed.
 * @property success one sentence about what was done, likewise.
 */
data class State(
    val bundles: List<BundleChoice> = emptyList(),
    val bundle: String? = null,
    val artifacts: List<ArtifactChoice> = emptyList(),
    val artifact: String? = null,
    val notOffered: List<String> = emptyList(),
    val unit: ComputeUnit? = null,
    val source: Source = Source.CAMERA,
    val camera: Camera = Camera.On,
    val front: Boolean = false,
    val lens: Lens = Lens(),
    val zoom: Float = 1f,
    val torch: Boolean = false,
    val paused: Boolean = false,
    val still: Boolean = false,
    val threshold: Float? = null,
    val model: Model = Model.None,
    val seen: Seen? = null,
    val latencies: List<Latency> = emptyList(),
    val testing: Boolean = false,
    val selfTest: SelfTest = SelfTest.Idle,
    val opening: String? = null,
    val problem: String? = null,
    val success: String? = null,
) {
    /** The chosen bundle. */
    val chosen: BundleChoice?
        get() = bundles.find { it.name == bundle }

    /** There is an image to look at, or will be. */
    val seeing: Boolean
        get() = source == Source.PHOTO || camera == Camera.On

    /** The viewfinder reaches the window's upper edge, which is black then. */
    val onBlack: Boolean
        get() = bundles.isNotEmpty() && !testing

    /** The camera's image moves. */
    val live: Boolean
        get() = source == Source.CAMERA && camera == Camera.On && !paused
}

/** What a person asks for. */
sealed interface Event {
    data class ChooseTask(val task: Task) : Event

    data class ChooseBundle(val name: String) : Event

    data class ChooseArtifact(val name: String) : Event

    data class ChooseUnit(val unit: ComputeUnit?) : Event

    data object OpenBundle : Event

    /** Of one that was opened. */
    data class RemoveBundle(val name: String) : Event

    data object PickPhoto : Event

    data object UseCamera : Event

    data object AllowCamera : Event

    data object RetryCamera : Event

    data object SwitchCamera : Event

    data object Pause : Event

    data object Resume : Event

    /** Of the zoom that is now, such as by two fingers. */
    data class ZoomBy(val factor: Float) : Event

    data class ZoomTo(val ratio: Float) : Event

    data class Torch(val on: Boolean) : Event

    /** Null: the model's own. */
    data class ChooseThreshold(val least: Float?) : Event

    /** Of the still image with its boxes. */
    data object SavePicture : Event

    /** Of the same, with its answers as text. */
    data object Share : Event

    data object ShowSelfTest : Event

    data object LoadAgain : Event

    data object RunSelfTest : Event

    data object CancelSelfTest : Event

    data object SaveResults : Event

    data object ShareResults : Event

    data object Back : Event

    data object Dismiss : Event
}
