package samesight.app

import java.util.concurrent.atomic.AtomicInteger
import samesight.contract.Bundle
import samesight.contract.ComputeUnit
import samesight.contract.Helpers
import samesight.contract.SamesightError
import samesight.contract.Verdicts
import samesight.engine.Cancellation
import samesight.engine.ModelHolder
import samesight.engine.Request
import samesight.engine.place
import samesight.ui.ArtifactChoice
import samesight.ui.BundleChoice
import samesight.ui.Model
import samesight.ui.State

private val UNITS_BY_PREFERENCE = listOf(ComputeUnit.NPU, ComputeUnit.GPU, ComputeUnit.CPU)
private val WHITE = intArrayOf(255, 255, 255)

/** A bundle and those of its artifacts that this app has a runtime for. */
private class Entry(val bundle: Bundle, val choice: BundleChoice, val artifacts: List<ArtifactChoice>)

/**
 * The bundles that there are, and the one model in memory.
 *
 * @param helpers take parts of large images.
 * @param change changes the state that is shown.
 * @param ready is called when a model is in memory.
 */
internal class Models(
    private val shelf: Shelf,
    private val runtimes: Runtimes,
    private val memory: Memory,
    private val clock: () -> Long,
    private val helpers: Helpers?,
    private val change: (State.() -> State) -> Unit,
    private val ready: () -> Unit,
) {
    private val holder = ModelHolder()
    private val requests = AtomicInteger()
    @Volatile private var entries: List<Entry> = emptyList()
    @Volatile private var loading: Cancellation? = null
    @Volatile private var analyzer: ImageAnalyzer? = null
    @Volatile private var chosen: Bundle? = null

    /** The least score that is asked for; null: the model's own. */
    @Volatile
    var threshold: Float? = null
        set(value) {
            field = value
            analyzer?.threshold = value
        }

    /** RGB of what shows through transparent pixels, as the chosen model was trained. */
    val background: IntArray
        get() = chosen?.spec?.input?.background?.toIntArray() ?: WHITE

    /** The bundle of that name. */
    fun find(name: String?): Bundle? = entries.find { it.choice.name == name }?.bundle

    /** Reads all bundles; the name of that to begin with, null where there is none or nothing could be read. */
    fun list(): String? {
        val problems = mutableListOf<String>()
        val read = catchFailures({ sentence -> emptyList<Entry>().also { problems += sentence } }) {
            shelf.all { problems += it }.map(::entry)
        }
        entries = read.orEmpty()
        val remembered = memory.choices
        change {
            copy(
                bundles = entries.map { it.choice },
                bundle = null,
                artifacts = emptyList(),
                artifact = null,
                unit = remembered.unit,
                model = Model.None,
                problem = problems.firstOrNull() ?: problem,
            )
        }
        return (entries.find { it.choice.name == remembered.bundle } ?: entries.firstOrNull())?.choice?.name
    }

    /** Takes one bundle more; it replaces one of the same name. */
    fun add(shelved: Shelved) {
        val new = entry(shelved)
        entries = entries.filter { it.choice.name != new.choice.name } + new
        change { copy(bundles = entries.map { it.choice }) }
    }

    /** Removes an opened bundle, and reads all anew as [list] does, so that one that it hid comes back. */
    fun remove(name: String): String? {
        forget()
        release(Model.None)
        catchFailures({ sentence -> change { copy(problem = sentence) } }) { shelf.remove(name) }
        return list()
    }

    /** [state] with this bundle chosen, and of its artifacts the last one, or the first that the server passed. */
    fun choice(state: State, name: String): State {
        val entry = entries.find { it.choice.name == name } ?: return state
        val artifact =
            entry.artifacts.find { it.name == memory.choices.artifact }
                ?: entry.artifacts.find { it.passed == true }
                ?: entry.artifacts.firstOrNull()
        chosen = entry.bundle
        return state.copy(bundle = name, artifacts = entry.artifacts, artifact = artifact?.name)
    }

    /** From now on no image is looked at, until a model is loaded. */
    fun forget() {
        analyzer = null
    }

    /** Asks for a load, which takes the place of all that were asked for before; the number of it. */
    fun begin(): Int {
        forget()
        val request = requests.incrementAndGet()
        loading?.cancel()
        change { copy(model = Model.Loading) }
        return request
    }

    /** Loads what [state] chose, unless another load was asked for since. */
    fun load(request: Int, state: State) {
        if (request != requests.get()) return
        val bundle = find(state.bundle)
        val model =
            if (bundle == null) Model.None
            else catchFailures<Model>({ Model.Failed(it) }) { placed(bundle, state, request) }
        if (request != requests.get() || model == null) return
        if (model is Model.Ready && bundle != null) {
            analyzer = ImageAnalyzer(bundle.spec, holder::run, clock, helpers).also { it.threshold = threshold }
        }
        change { copy(model = model) }
        ready()
    }

    private fun placed(bundle: Bundle, state: State, request: Int): Model {
        val name = state.artifact
            ?: throw SamesightError(
                "model ${bundle.spec.name}: has no artifact that this app runs; convert it to " +
                    runtimes.openers.keys.sorted().joinToString(" or "),
            )
        memory.choices = Choices(bundle.spec.name, name, state.unit)
        val artifact = bundle.find(name)
        val units = state.unit?.let(::listOf) ?: UNITS_BY_PREFERENCE
        val placementRequest = Request(artifact, bundle.path(artifact), bundle.spec, bundle.goldenCases(), units)
        val placement =
            holder.load {
                loading = it
                if (request != requests.get()) it.cancel()
                place(placementRequest, runtimes.openers.getValue(artifact.format), it, clock)
            }
        return Model.Ready(placement.chosen, placement.trials)
    }

    /** Gives the model's memory back; [now] is shown in its place. */
    fun release(now: Model) {
        holder.close()
        change { if (model is Model.Ready) copy(model = now) else this }
    }

    /** Whose model looks at images now; null: none is loaded. */
    val current: ImageAnalyzer?
        get() = analyzer

    /** What the loaded model says of an image; null where none is loaded, or another came meanwhile. */
    fun analyze(act: ImageAnalyzer.() -> Analysis): Analysis? = current?.let { analyze(it, act) }

    /** The same of a model that was [current]. */
    fun analyze(asked: ImageAnalyzer, act: ImageAnalyzer.() -> Analysis): Analysis? {
        if (analyzer !== asked) return null
        val analysis =
            catchFailures<Analysis?>({ sentence ->
                if (analyzer === asked) {
                    analyzer = null
                    change { copy(model = Model.Failed(sentence)) }
                }
                null
            }) { asked.act() }
        return analysis.takeIf { analyzer === asked }
    }

    private fun entry(shelved: Shelved): Entry {
        val bundle = shelved.bundle
        val read = catchFailures<Verdicts?>({ null }) { bundle.verdicts() }
        val verdicts = read?.artifacts.orEmpty().associateBy { it.name }
        val artifacts =
            bundle.manifest.artifacts.filter { it.format in runtimes.openers }.map {
                ArtifactChoice(it.name, it.runtime, it.precision, verdicts[it.name]?.passed)
            }
        val spec = bundle.spec
        return Entry(bundle, BundleChoice(spec.name, spec.task, spec.labels.size, shelved.opened, spec.detection?.scoreThreshold?.toFloat()), artifacts)
    }
}
