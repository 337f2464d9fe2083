package samesight.engine

import java.util.concurrent.CancellationException
import samesight.contract.ComputeUnit
import samesight.contract.SamesightError
import samesight.contract.Times

private const val MOST_CASES = 8

/**
 * What came of asking for a unit once.
 *
 * @property engine null where refused; whoever asked closes it.
 * @property refusedAtLoad the runtime said so before anything ran.
 * @property missed it ran, and its outputs were not the server model's.
 */
internal class Attempt(
    val trial: Trial,
    val engine: Engine? = null,
    val refusedAtLoad: Boolean = false,
    val missed: Boolean = false,
)

private class RefusedAtLoad(message: String) : SamesightError(message)

private class WrongOutputs(message: String) : SamesightError(message)

/** Tries units with the golden cases of one request. */
internal class UnitTrials(
    private val request: Request,
    private val opener: Opener,
    private val cancellation: Cancellation,
    private val notes: TrialNotes?,
    private val clock: () -> Long,
) {
    private val cases = request.cases.take(MOST_CASES)

    fun modes(unit: ComputeUnit) = opener.modes(unit)

    /** By all ways in turn, the CPU beside it last. */
    fun tryUnit(unit: ComputeUnit, cpu: Times?): Attempt {
        val alone = alone(unit, cpu)
        return if (alone.refusedAtLoad && Mode.WITH_CPU in modes(unit)) withCpu(unit, cpu, alone.trial) else alone
    }

    /** By itself; where float16 is too coarse, in float32. */
    fun alone(unit: ComputeUnit, cpu: Times?): Attempt {
        val half = attempt(unit, Mode.ALONE, cpu)
        if (!half.missed || Mode.FLOAT32 !in modes(unit)) return half
        val full = attempt(unit, Mode.FLOAT32, cpu)
        val why = "in float16: ${half.trial.refusal}"
        if (full.engine != null) return Attempt(full.trial.copy(notes = listOf("in float32", why)), full.engine)
        return Attempt(full.trial.copy(refusal = "$why; in float32: ${full.trial.refusal}"))
    }

    /** With the CPU beside it, which is told, after it was refused by itself. */
    fun withCpu(unit: ComputeUnit, cpu: Times?, alone: Trial): Attempt {
        val shared = attempt(unit, Mode.WITH_CPU, cpu)
        if (shared.engine != null) {
            val told = listOf("with the CPU", "alone refused: ${alone.refusal}")
            return Attempt(shared.trial.copy(notes = told), shared.engine)
        }
        val both = listOfNotNull(alone.refusal, shared.trial.refusal).distinct()
        return Attempt(shared.trial.copy(refusal = both.joinToString("; with the CPU: ")))
    }

    /** Loads as [trial] did, which is believed. */
    fun reopen(trial: Trial): Attempt =
        catchRefusal(trial.unit, trial.mode) {
            cancellation.check()
            Attempt(trial, opener.open(request.file, trial.unit, trial.mode))
        }

    /** Loads, checks the outputs and takes the times; or the refusal, with everything closed. */
    fun attempt(unit: ComputeUnit, mode: Mode, cpu: Times?): Attempt {
        notes?.skipped(request.file, unit, mode)?.let { return Attempt(Trial(unit, refusal = it, mode = mode)) }
        return catchRefusal(unit, mode) {
            cancellation.check()
            val act = { measured(unit, mode, cpu) }
            notes?.trying(request.file, unit, mode, act) ?: act()
        }
    }

    private fun measured(unit: ComputeUnit, mode: Mode, cpu: Times?): Attempt {
        val start = clock()
        val engine = open(unit, mode)
        try {
            return Attempt(measure(unit, mode, engine, (clock() - start) / NANOS, cpu), engine)
        } catch (problem: Throwable) {
            engine.close()
            throw problem
        }
    }

    private fun open(unit: ComputeUnit, mode: Mode): Engine =
        try {
            opener.open(request.file, unit, mode)
        } catch (hung: Unresponsive) {
            throw hung
        } catch (refusal: SamesightError) {
            throw RefusedAtLoad(refusal.message)
        }

    private fun measure(unit: ComputeUnit, mode: Mode, engine: Engine, load: Double, cpu: Times?): Trial {
        cancellation.check()
        val start = clock()
        val first = engine.run(cases[0].tensor)
        val firstTime = (clock() - start) / NANOS
        val outputs = listOf(first) + cases.drop(1).map {
            cancellation.check()
            engine.run(it.tensor)
        }
        try {
            checkSignalToNoise(cases, outputs, request.spec, request.file.artifact.precision, unit)
        } catch (missed: SamesightError) {
            throw WrongOutputs(missed.message)
        }
        val times = Times(load, firstTime, steadyTime(engine, cases[0].tensor, cancellation, clock))
        return Trial(unit, proof(engine, times, cpu), times, isSlower(times, cpu), engine.delegates, mode = mode)
    }

    private fun catchRefusal(unit: ComputeUnit, mode: Mode, act: () -> Attempt): Attempt {
        fun refused(sentence: String, atLoad: Boolean = false, missed: Boolean = false) =
            Attempt(Trial(unit, refusal = sentence, mode = mode), refusedAtLoad = atLoad, missed = missed)
        return try {
            act()
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (refusal: RefusedAtLoad) {
            refused(refusal.message, atLoad = true)
        } catch (missed: WrongOutputs) {
            refused(missed.message, missed = true)
        } catch (problem: Exception) {
            refused(problem.message ?: problem.toString())
        } catch (missing: LinkageError) {
            refused("its libraries are not in this app: $missing")
        } catch (full: OutOfMemoryError) {
            refused("not enough memory: ${full.message}")
        }
    }
}
