package samesight.engine

import samesight.contract.Proof
import samesight.contract.Times

internal const val NANOS = 1e6
private const val RUNS = 15
private const val WARM_UP = 2
private const val LONGEST = 1_000_000_000L
private const val TELLING_OPERATIONS = 100_000_000L

// An NPU that runs a network of such a size is several times faster; two runs of one CPU do not differ so much.
private const val TELLING_RATIO = 2.0

/** One unit is faster than another by at least this: less is how two runs of one unit differ. */
internal const val MARGIN = 1.1

/** Threads that a runtime is given on the CPU: the large cores of most phones, which are half of all. */
fun cpuThreads(processors: Int = Runtime.getRuntime().availableProcessors()): Int = (processors / 2).coerceIn(1, 4)

internal fun isSlower(times: Times, cpu: Times?): Boolean = cpu != null && times.steady > cpu.steady * MARGIN

/** The middle of some runs' times in milliseconds; of a slow network fewer runs, at least three. */
internal fun steadyTime(engine: Engine, tensor: ByteArray, cancellation: Cancellation, clock: () -> Long): Double {
    val times = mutableListOf<Long>()
    val begin = clock()
    while (times.size < WARM_UP + RUNS && (times.size < WARM_UP + 3 || clock() - begin < LONGEST)) {
        cancellation.check()
        val start = clock()
        engine.run(tensor)
        times += clock() - start
    }
    val sorted = times.drop(WARM_UP).sorted()
    return sorted[sorted.size / 2] / NANOS
}

/** On a small network a call costs more than its arithmetic, and times tell nothing. */
internal fun proof(engine: Engine, times: Times, cpu: Times?): Proof =
    when {
        engine.certain -> Proof.CERTAIN
        cpu == null || (engine.operations ?: 0) < TELLING_OPERATIONS -> Proof.REQUESTED
        times.steady * TELLING_RATIO <= cpu.steady -> Proof.TIMING
        else -> Proof.REQUESTED
    }
