package samesight.engine

import java.util.concurrent.CancellationException

/** Asks work on another thread to end. A call into a runtime cannot be interrupted: the work ends after it. */
class Cancellation {
    @Volatile private var asked = false

    /** Asks for the end. */
    fun cancel() {
        asked = true
    }

    /** @throws CancellationException the end was asked for. */
    fun check() {
        if (asked) throw CancellationException("cancelled")
    }
}
