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
import samesight.engine.artifactFile
import samesight.engine.otherChip
import samesight.engine.place
import samesight.ui.ArtifactChoice
import samesight.ui.BundleChoice
import samesight.ui.Model
import samesight.ui.State

private val UNITS_BY_PREFERENCE = listOf(ComputeUnit.NPU, ComputeUnit.GPU, ComputeUnit.CPU)
private val WHITE = intArrayOf(255, 255, 255)

/**
 * A bundle and those of its artifacts that this app has a runtime for and this device the chip.
 *
 * @property notOffered sentences about those for other chips.
 */
private class Entry(
    val bundle: Bundle,
    val choice: BundleChoice,
    val artifacts: List<ArtifactChoice>,
    val notOffered: List<String>,
) {
    /** Those that were made for this device's very chip. */
    val forChip = artifacts.filter { bundle.find(it.name).soc.isNotEmpty() && it.passed != false }.map { it.name }

    /** What to try where nobody chose: what was made for the chip, then what the server passed, or else the first. */
    val candidates: List<String>
        get() {
            val others = artifacts.filter { it.name !in forChip }
            return forChip + listOfNotNull((others.find { it.passed == true } ?: others.firstOrNull())?.name)
        }
}

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

    // The artifact that a person chose, now or at an earlier start.
    @Volatile private var picked: String? = null

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
                notOffered = emptyList(),
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

    /** [state] with this bundle chosen, and of its artifacts the last one, or that which suits this device best. */
    fun choice(state: State, name: String): State {
        val entry = entries.find { it.choice.name == name } ?: return state
        picked = memory.choices.artifact.takeIf { last -> entry.artifacts.any { it.name == last } }
        chosen = entry.bundle
        val artifact = picked ?: entry.candidates.firstOrNull()
        return state.copy(bundle = name, artifacts = entry.artifacts, artifact = artifact, notOffered = entry.notOffered)
    }

    /** [state] with the artifact that a person chose. */
    fun pick(state: State, artifact: String): State {
        picked = artifact
        return state.copy(artifact = artifact)
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
        if (model is Model.Failed) instead(state)?.let { return load(request, useInstead(state, model, it)) }
        if (model is Model.Ready && bundle != null) {
            analyzer = ImageAnalyzer(bundle.spec, holder::run, clock, helpers).also { it.threshold = threshold }
        }
        change { copy(model = model) }
        ready()
    }

    /** What is tried where an artifact for this very chip fails that nobody chose; null for any other. */
    private fun instead(state: State): String? {
        val entry = entries.find { it.choice.name == state.bundle } ?: return null
        if (picked != null || state.artifact !in entry.forChip) return null
        return entry.candidates.getOrNull(entry.candidates.indexOf(state.artifact) + 1)
    }

    private fun useInstead(state: State, failed: Model.Failed, other: String): State {
        val told = "${state.artifact} is not used: ${failed.sentence}"
        change { copy(artifact = other, notOffered = notOffered + told) }
        return state.copy(artifact = other)
    }

    private fun placed(bundle: Bundle, state: State, request: Int): Model {
        val name = state.artifact
            ?: throw SamesightError(
                "model ${bundle.spec.name}: has no artifact that this app runs; convert it to " +
                    runtimes.openers.keys.sorted().joinToString(" or "),
            )
        // What was made for the chip is tried first at the next start too, when the app may have more libraries.
        val isAutomatic = picked == null && entries.any { it.bundle === bundle && it.forChip.isNotEmpty() }
        memory.choices = Choices(bundle.spec.name, name.takeUnless { isAutomatic }, state.unit)
        val artifact = bundle.find(name)
        val units = state.unit?.let(::listOf) ?: UNITS_BY_PREFERENCE
        val placementRequest = Request(artifactFile(bundle, artifact), bundle.spec, bundle.goldenCases(), units)
        val placement =
            holder.load {
                loading = it
                if (request != requests.get()) it.cancel()
                place(placementRequest, runtimes.openers.getValue(artifact.format), it, runtimes.notes, clock)
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
        val taken = bundle.manifest.artifacts.filter { it.format in runtimes.openers }
        val (others, offered) = taken.partition { otherChip(it, runtimes.soc) != null }
        val artifacts = offered.map { ArtifactChoice(it.name, it.runtime, it.precision, verdicts[it.name]?.passed, it.unit) }
        val spec = bundle.spec
        val least = spec.detection?.scoreThreshold?.toFloat()
        val choice = BundleChoice(spec.name, spec.task, spec.labels.size, shelved.opened, least)
        return Entry(bundle, choice, artifacts, others.mapNotNull { otherChip(it, runtimes.soc) })
    }
}
