package samesight.benchmark

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import java.util.concurrent.ArrayBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import samesight.engine.Pipeline

internal const val NETWORK_MILLISECONDS = 20L
private const val SECONDS = 3.0

/**
 * What becomes of frames with a network of [NETWORK_MILLISECONDS].
 *
 * @property overlapped frames per second where the next one is prepared while the network runs; at most 50.
 * @property inTurn the same, one step after the other.
 * @property bytes that the preparing thread allocates per frame.
 */
internal class Rates(val overlapped: Double, val inTurn: Double, val bytes: Double)

/** @param works two that prepare a frame, each into a place of its own. */
internal fun rates(works: List<() -> Unit>): Rates {
    val done = AtomicInteger()
    val runner = ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, ArrayBlockingQueue(2))
    val pipeline = Pipeline(works[0] to works[1], { it() }, { network(done) }, runner)
    val memory = ManagementFactory.getThreadMXBean() as ThreadMXBean
    // What is made once is no garbage.
    for (work in works) repeat(20) { work() }
    repeat(2) { pipeline.take()?.let(pipeline::put) }
    Thread.sleep(3 * NETWORK_MILLISECONDS)
    var frames = 0
    val before = memory.currentThreadAllocatedBytes
    val overlapped =
        perSecond(done) {
            // As a camera that is faster than all else, but for frames that would take the place of what waits.
            if (done.get() + 2 > frames) pipeline.take()?.let { frames++; pipeline.put(it) } else Thread.sleep(0, 200_000)
        }
    val bytes = (memory.currentThreadAllocatedBytes - before).toDouble() / maxOf(1, frames)
    runner.shutdown()
    runner.awaitTermination(1, TimeUnit.SECONDS)
    val inTurn = perSecond(done) {
        works[0]()
        network(done)
    }
    return Rates(overlapped, inTurn, bytes)
}

/** Takes its time elsewhere, as a GPU or an NPU does. */
private fun network(done: AtomicInteger) {
    Thread.sleep(NETWORK_MILLISECONDS)
    done.incrementAndGet()
}

private fun perSecond(done: AtomicInteger, step: () -> Unit): Double {
    done.set(0)
    val start = System.nanoTime()
    while (System.nanoTime() - start < SECONDS * 1e9) step()
    return done.get() / ((System.nanoTime() - start) / 1e9)
}
