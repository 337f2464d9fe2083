package samesight.engine

import java.util.concurrent.Callable
import java.util.concurrent.ExecutionException
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import java.util.concurrent.atomic.AtomicBoolean
import samesight.contract.ComputeUnit
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor

// Long enough for an NPU's compiler on a slow phone, and for a run of the largest network on its CPU.
private const val LONGEST_CALL_MS = 60_000L

/** A call into a runtime that never came back. */
class Unresponsive(message: String) : SamesightError(message)

/**
 * The opener that [make] gives: it is made, and all its calls and its engines' are made, by one thread, and waited for no
 * longer than [longest] milliseconds.
 *
 * A driver's call cannot be interrupted: a thread that does not answer is left behind, with what it holds. One thread for
 * all, because OpenGL and some NPUs' libraries belong to the thread that began with them.
 *
 * @throws Unresponsive it could not even be made.
 */
class WatchedOpener(private val longest: Long = LONGEST_CALL_MS, make: () -> Opener) : Opener {
    private val lock = Any()
    private var executor = newExecutor()
    private val opener = call("the runtime", make)

    override fun modes(unit: ComputeUnit) = opener.modes(unit)

    override fun open(file: ArtifactFile, unit: ComputeUnit, mode: Mode): Engine =
        WatchedEngine(call("the $unit") { opener.open(file, unit, mode) }, "the $unit")

    override fun close() = call("the runtime") { opener.close() }

    private fun newExecutor(): ExecutorService =
        Executors.newSingleThreadExecutor { Thread(it, "runtime").apply { isDaemon = true } }

    /** @throws Unresponsive it took too long. */
    private fun <T> call(who: String, act: () -> T): T {
        val abandoned = AtomicBoolean()
        val task =
            Callable {
                val result = act()
                // Nobody waits for it any more.
                if (abandoned.get()) (result as? AutoCloseable)?.close()
                result
            }
        val future = synchronized(lock) { executor }.submit(task)
        try {
            return future.get(longest, TimeUnit.MILLISECONDS)
        } catch (failed: ExecutionException) {
            throw failed.cause ?: failed
        } catch (_: TimeoutException) {
            abandoned.set(true)
            synchronized(lock) {
                executor.shutdown()
                executor = newExecutor()
            }
            throw Unresponsive("$who did not answer for ${longest / 1000} seconds; choose another unit")
        }
    }

    private inner class WatchedEngine(private val engine: Engine, private val who: String) : Engine {
        override val certain = engine.certain
        override val operations = engine.operations
        override val delegates = engine.delegates
        private var hung = false

        override fun run(tensor: ByteArray): Map<Role, Tensor> = watched { engine.run(tensor) }

        override fun close() {
            // It would wait for the call that does not come back.
            if (!hung) watched { engine.close() }
        }

        private fun <T> watched(act: () -> T): T {
            if (hung) throw Unresponsive("$who does not answer any more; choose another unit")
            try {
                return call(who, act)
            } catch (problem: Unresponsive) {
                hung = true
                throw problem
            }
        }
    }
}
