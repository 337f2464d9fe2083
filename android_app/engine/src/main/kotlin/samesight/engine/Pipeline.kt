package samesight.engine

import java.util.concurrent.Executor

/**
 * Two places for what comes one after the other, so that one is prepared while the other runs.
 *
 * What comes while neither place is free is dropped, never queued: the newest is what people want to see. So what waits,
 * prepared, makes way for what comes later. Results come in the order in which things came.
 *
 * @param places two, for what is prepared and run.
 * @param prepare is called on the thread that calls [put].
 * @param run is called by [runner], one after the other; it must not throw.
 * @param runner one thread, which may do other things in between.
 */
class Pipeline<T : Any>(
    places: Pair<T, T>,
    private val prepare: (T) -> Unit,
    private val run: (T) -> Unit,
    private val runner: Executor,
) {
    private enum class Stage { FREE, FILLING, READY, RUNNING }

    private class Place<T>(val thing: T) {
        var stage = Stage.FREE
        var number = 0L
    }

    private val places = arrayOf(Place(places.first), Place(places.second))
    private val runAll = Runnable { runReady() }
    private var count = 0L
    private var scheduled = false

    /** A place to fill, which goes back by [put] or [giveBack]; null where what comes now would be dropped. */
    @Synchronized
    fun take(): T? {
        // No more than one is filled at a time, so that they stay in order.
        if (places.any { it.stage == Stage.FILLING }) return null
        val place = places.find { it.stage == Stage.FREE } ?: oldestReady() ?: return null
        place.stage = Stage.FILLING
        place.number = ++count
        return place.thing
    }

    /** A place that [take] gave was not filled after all. */
    @Synchronized
    fun giveBack(thing: T) {
        place(thing).stage = Stage.FREE
    }

    /** Prepares what was filled into a place, here and now, and has it run; what [prepare] throws is thrown. */
    fun put(thing: T) {
        try {
            prepare(thing)
        } catch (problem: Throwable) {
            giveBack(thing)
            throw problem
        }
        synchronized(this) {
            place(thing).stage = Stage.READY
            if (scheduled) return
            scheduled = true
        }
        runner.execute(runAll)
    }

    private fun runReady() {
        var place = next()
        while (place != null) {
            try {
                run(place.thing)
            } finally {
                giveBack(place.thing)
            }
            place = next()
        }
    }

    @Synchronized
    private fun next(): Place<T>? {
        val first = oldestReady()
        first?.stage = Stage.RUNNING
        scheduled = first != null
        return first
    }

    private fun oldestReady(): Place<T>? {
        var first: Place<T>? = null
        for (place in places) {
            if (place.stage == Stage.READY && (first == null || place.number < first.number)) first = place
        }
        return first
    }

    private fun place(thing: T): Place<T> = if (places[0].thing === thing) places[0] else places[1]
}
