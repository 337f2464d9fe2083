package samesight.engine

import java.io.File
import java.util.Locale
import java.util.concurrent.CancellationException
import samesight.contract.Artifact
import samesight.contract.ComputeUnit
import samesight.contract.GoldenCase
import samesight.contract.ModelSpec
import samesight.contract.Proof
import samesight.contract.SamesightError
import samesight.contract.Times

private const val LEAST_CASES = 2
private const val MOST_CASES = 8

/**
 * What came of one unit: refused, or figures.
 *
 * @property proof null where refused.
 * @property times null where refused.
 * @property slower slower than the CPU, whose time is known.
 * @property refusal the runtime's words, or what was wrong with its outputs; null where it works.
 */
data class Trial(
    val unit: ComputeUnit,
    val proof: Proof? = null,
    val times: Times? = null,
    val slower: Boolean = false,
    val delegates: List<String> = emptyList(),
    val refusal: String? = null,
) {
    /** One line for people. */
    override fun toString(): String {
        if (times == null) return "$unit: refused: $refusal"
        val (load, first, steady) = times
        val figures = "%.2f ms a run, first %.2f ms, load %.1f ms".format(Locale.ROOT, steady, first, load)
        val remarks = listOfNotNull(proof?.text, "slower than the CPU".takeIf { slower }) + delegates
        return "$unit: $figures (${remarks.joinToString()})"
    }
}

/** An engine that runs, the trial that chose it, and all trials in the order of the request, the CPU's among them. */
class Placement(val engine: Engine, val chosen: Trial, val trials: List<Trial>)

/**
 * What to place.
 *
 * @property cases golden cases; at least two, so that a constant output is told from an answer.
 * @property units from the best to the last resort.
 */
class Request(
    val artifact: Artifact,
    val file: File,
    val spec: ModelSpec,
    val cases: List<GoldenCase>,
    val units: List<ComputeUnit> = listOf(ComputeUnit.NPU, ComputeUnit.GPU, ComputeUnit.CPU),
)

/**
 * Loads an artifact on the first of the requested units that gives the server model's outputs.
 *
 * Each unit is asked for by itself, and one model is in memory at a time. The CPU is timed first, for comparison; a
 * unit that is slower is passed over if the CPU was requested too, and shown as slower either way.
 *
 * @param clock nanoseconds.
 * @throws SamesightError no unit runs it; with every refusal.
 * @throws CancellationException cancelled; nothing stays loaded.
 */
fun place(
    request: Request,
    opener: Opener,
    cancellation: Cancellation = Cancellation(),
    clock: () -> Long = System::nanoTime,
): Placement {
    if (request.cases.size < LEAST_CASES) {
        throw SamesightError("artifact ${request.artifact.name}: $LEAST_CASES golden cases are needed to judge a unit")
    }
    return ComputeUnitSelector(request, opener, cancellation, clock).select()
}

/** Tries the units of one request; see [place]. */
internal class ComputeUnitSelector(
    private val request: Request,
    private val opener: Opener,
    private val cancellation: Cancellation,
    private val clock: () -> Long,
) {
    private val cases = request.cases.take(MOST_CASES)
    private val trials = mutableListOf<Trial>()

    fun select(): Placement {
        val (reference, cpu) = tryUnit(ComputeUnit.CPU, null)
        if (request.units == listOf(ComputeUnit.CPU) && cpu != null) return Placement(cpu, reference, listOf(reference))
        cpu?.close()
        for ((place, unit) in request.units.withIndex()) {
            val (trial, engine) = if (unit == ComputeUnit.CPU) reopen(reference) else tryUnit(unit, reference.times)
            trials += trial
            if (engine == null) continue
            if (trial.slower && ComputeUnit.CPU in request.units.drop(place) && reference.times != null) {
                engine.close()
                continue
            }
            return Placement(engine, trial, (trials + reference).distinct())
        }
        val refusals = trials.joinToString("; ") { "${it.unit}: ${it.refusal}" }
        throw SamesightError("artifact ${request.artifact.name}: no unit runs it; $refusals")
    }

    private fun reopen(reference: Trial): Pair<Trial, Engine?> {
        if (reference.times == null) return reference to null
        return catchRefusal(ComputeUnit.CPU) {
            reference to opener.open(request.artifact, request.file, ComputeUnit.CPU)
        }
    }

    /** Loads on one unit, checks the outputs and takes the times; or the refusal, with everything closed. */
    fun tryUnit(unit: ComputeUnit, cpu: Times?): Pair<Trial, Engine?> =
        catchRefusal(unit) {
            cancellation.check()
            val start = clock()
            val engine = opener.open(request.artifact, request.file, unit)
            try {
                measure(unit, engine, (clock() - start) / NANOS, cpu) to engine
            } catch (problem: Throwable) {
                engine.close()
                throw problem
            }
        }

    private fun measure(unit: ComputeUnit, engine: Engine, load: Double, cpu: Times?): Trial {
        cancellation.check()
        val start = clock()
        val first = engine.run(cases[0].tensor)
        val firstTime = (clock() - start) / NANOS
        val outputs = listOf(first) + cases.drop(1).map {
            cancellation.check()
            engine.run(it.tensor)
        }
        checkSignalToNoise(cases, outputs, request.spec, request.artifact.precision, unit)
        val times = Times(load, firstTime, steadyTime(engine, cases[0].tensor, cancellation, clock))
        val slower = cpu != null && times.steady > cpu.steady
        return Trial(unit, proof(engine, times, cpu), times, slower, engine.delegates)
    }

    private fun catchRefusal(unit: ComputeUnit, act: () -> Pair<Trial, Engine?>): Pair<Trial, Engine?> =
        try {
            act()
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (problem: Exception) {
            Trial(unit, refusal = problem.message ?: problem.toString()) to null
        } catch (missing: LinkageError) {
            Trial(unit, refusal = "its libraries are not in this app: $missing") to null
        } catch (full: OutOfMemoryError) {
            Trial(unit, refusal = "not enough memory: ${full.message}") to null
        }
}
