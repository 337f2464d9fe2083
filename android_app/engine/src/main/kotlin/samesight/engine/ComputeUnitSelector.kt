package samesight.engine

import java.util.concurrent.CancellationException
import samesight.contract.ComputeUnit
import samesight.contract.GoldenCase
import samesight.contract.ModelSpec
import samesight.contract.Proof
import samesight.contract.SamesightError
import samesight.contract.Times

private const val LEAST_CASES = 2

/** An engine that runs, the trial that chose it, and all trials in the order of the request, the CPU's among them. */
class Placement(val engine: Engine, val chosen: Trial, val trials: List<Trial>)

/**
 * What to place.
 *
 * @property cases golden cases; at least two, so that a constant output is told from an answer.
 * @property units from the best to the last resort.
 */
class Request(
    val file: ArtifactFile,
    val spec: ModelSpec,
    val cases: List<GoldenCase>,
    val units: List<ComputeUnit> = listOf(ComputeUnit.NPU, ComputeUnit.GPU, ComputeUnit.CPU),
)

/**
 * Loads an artifact on the first of the requested units that gives the server model's outputs.
 *
 * Each unit is asked for by itself, and one model is in memory at a time. The CPU is timed first, for comparison; a
 * unit that is slower is passed over if the CPU was requested too, and shown as slower either way. Where nothing says
 * that a unit runs what it was asked to run, one that is certain is preferred, and so is the CPU unless it is slower.
 *
 * @param notes of earlier starts: what is known to end the app is not tried, and what was chosen is tried first.
 * @param clock nanoseconds.
 * @throws SamesightError no unit runs it; with every refusal.
 * @throws CancellationException cancelled; nothing stays loaded.
 */
fun place(
    request: Request,
    opener: Opener,
    cancellation: Cancellation = Cancellation(),
    notes: TrialNotes? = null,
    clock: () -> Long = System::nanoTime,
): Placement {
    if (request.cases.size < LEAST_CASES) {
        val name = request.file.artifact.name
        throw SamesightError("artifact $name: $LEAST_CASES golden cases are needed to judge a unit")
    }
    return ComputeUnitSelector(request, UnitTrials(request, opener, cancellation, notes, clock), notes).select()
}

/** Chooses a unit of one request; see [place]. */
internal class ComputeUnitSelector(
    private val request: Request,
    private val unitTrials: UnitTrials,
    private val notes: TrialNotes?,
) {
    private val trials = linkedMapOf<ComputeUnit, Trial>()
    private val hasCpu = ComputeUnit.CPU in request.units

    fun select(): Placement {
        remembered()?.let { return it }
        val placement = search()
        notes?.keep(request, placement.chosen, placement.trials)
        return placement
    }

    /** What was chosen at an earlier start, if it still works as it did. */
    private fun remembered(): Placement? {
        val (chosen, all) = notes?.choice(request) ?: return null
        val cpu = all.find { it.unit == ComputeUnit.CPU }?.times.takeIf { chosen.unit != ComputeUnit.CPU }
        val attempt = unitTrials.attempt(chosen.unit, chosen.mode, cpu)
        val trial = attempt.trial.copy(notes = chosen.notes)
        if (attempt.engine != null && trial.proof == chosen.proof && trial.slower == chosen.slower) {
            return Placement(attempt.engine, trial, all.map { if (it == chosen) trial else it })
        }
        attempt.engine?.close()
        notes.forget(request)
        return null
    }

    private fun search(): Placement {
        val reference = unitTrials.attempt(ComputeUnit.CPU, Mode.ALONE, null)
        val cpu = reference.trial
        if (request.units == listOf(ComputeUnit.CPU) && reference.engine != null) {
            return Placement(reference.engine, cpu, listOf(cpu))
        }
        reference.engine?.close()
        var unproven: Trial? = null
        val refusedAlone = mutableListOf<ComputeUnit>()
        for ((unit, mode) in rungs()) {
            if (unit == ComputeUnit.CPU) {
                trials[unit] = cpu
                val faster = unproven?.takeIf { cpu.times == null || isFaster(it, cpu) }
                faster?.let { reopen(it) }?.let { return it }
                if (cpu.times != null) reopen(cpu)?.let { return it }
                continue
            }
            if (mode == Mode.WITH_CPU && unit !in refusedAlone) continue
            val attempt =
                if (mode == Mode.WITH_CPU) unitTrials.withCpu(unit, cpu.times, trials.getValue(unit))
                else unitTrials.alone(unit, cpu.times)
            trials[unit] = attempt.trial
            if (attempt.refusedAtLoad) refusedAlone += unit
            val engine = attempt.engine ?: continue
            if (attempt.trial.slower && hasCpu && cpu.times != null) {
                engine.close()
            } else if (attempt.trial.proof == Proof.REQUESTED && request.units.size > 1) {
                unproven = unproven ?: attempt.trial
                engine.close()
            } else {
                return found(engine, attempt.trial, cpu)
            }
        }
        unproven?.let { reopen(it) }?.let { return it }
        val refusals = (trials.values + cpu).distinctBy { it.unit }.joinToString("; ") { "${it.unit}: ${it.refusal}" }
        throw SamesightError("artifact ${request.file.artifact.name}: no unit runs it; $refusals")
    }

    /** A unit with the CPU beside it comes after all that run by themselves, and before the CPU. */
    private fun rungs(): List<Pair<ComputeUnit, Mode>> {
        val units = request.units
        val shared = units.filter { Mode.WITH_CPU in unitTrials.modes(it) }.map { it to Mode.WITH_CPU }
        val end = if (units.lastOrNull() == ComputeUnit.CPU) units.size - 1 else units.size
        val alone = units.map { it to Mode.ALONE }
        return alone.take(end) + shared + alone.drop(end)
    }

    private fun isFaster(trial: Trial, cpu: Trial): Boolean {
        val (mine, theirs) = trial.times to cpu.times
        return mine != null && theirs != null && mine.steady * MARGIN < theirs.steady
    }

    /** Loads again what was tried and closed; null where it is refused now. */
    private fun reopen(trial: Trial): Placement? {
        val attempt = unitTrials.reopen(trial)
        trials[trial.unit] = attempt.trial
        return attempt.engine?.let { found(it, attempt.trial, trials[ComputeUnit.CPU]) }
    }

    private fun found(engine: Engine, chosen: Trial, cpu: Trial?): Placement {
        val all = request.units.mapNotNull { trials[it] } + listOfNotNull(cpu)
        return Placement(engine, chosen, all.distinctBy { it.unit })
    }
}
