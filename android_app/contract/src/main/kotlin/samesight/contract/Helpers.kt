package samesight.contract

import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.locks.LockSupport

/**
 * Threads that take parts of one piece of work after the other; hands them over without allocating anything.
 *
 * @param count how many threads there are beside the one that asks.
 */
class Helpers(val count: Int) : AutoCloseable {
    private val left = AtomicInteger()
    private val threads = List(count) { index -> Thread({ help(index + 1) }, "helper ${index + 1}") }
    @Volatile private var work: (Int) -> Unit = {}
    @Volatile private var round = 0
    @Volatile private var asking: Thread? = null
    @Volatile private var failure: Throwable? = null
    @Volatile private var closed = false

    init {
        for (thread in threads) {
            thread.isDaemon = true
            thread.start()
        }
    }

    /**
     * Has parts 0 to [count] done at the same time, part 0 on this thread, and waits for all of them.
     *
     * A part that fails ends no other; the first failure is thrown when all are done.
     */
    @Synchronized
    fun share(work: (Int) -> Unit) {
        check(!closed) { "helpers were closed" }
        this.work = work
        failure = null
        asking = Thread.currentThread()
        left.set(count)
        round++
        for (i in threads.indices) LockSupport.unpark(threads[i])
        attempt(0)
        while (left.get() > 0) LockSupport.park(this)
        failure?.let { throw it }
    }

    private fun help(part: Int) {
        var done = 0
        while (true) {
            while (done == round) {
                if (closed) return
                LockSupport.park(this)
            }
            done = round
            attempt(part)
            if (left.decrementAndGet() == 0) LockSupport.unpark(asking)
        }
    }

    private fun attempt(part: Int) {
        try {
            work(part)
        } catch (problem: Throwable) {
            failure = problem
        }
    }

    /** Ends the threads; nothing may be shared any more. */
    override fun close() {
        closed = true
        threads.forEach(LockSupport::unpark)
    }
}
