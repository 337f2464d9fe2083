package samesight.engine

import java.util.concurrent.CancellationException
import java.util.concurrent.atomic.AtomicReference
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor

/**
 * The one model that an app has in memory, for any number of threads.
 *
 * Loading another gives the memory of the one before back first, and cancels a load that is under way. Closing waits
 * for the run that is under way.
 */
class ModelHolder : AutoCloseable {
    private val lock = ReentrantLock()
    private val loading = AtomicReference<Cancellation>()
    private var placement: Placement? = null

    /**
     * Replaces the model.
     *
     * @param open such as [place].
     * @throws CancellationException another load or [close] came in between.
     * @throws SamesightError what [open] throws; then no model is loaded.
     */
    fun load(open: (Cancellation) -> Placement): Placement {
        val mine = Cancellation()
        loading.getAndSet(mine)?.cancel()
        return lock.withLock {
            mine.check()
            unload()
            val new = open(mine)
            try {
                mine.check()
            } catch (cancelled: CancellationException) {
                new.engine.close()
                throw cancelled
            }
            placement = new
            new
        }
    }

    /**
     * Raw outputs of an input tensor.
     *
     * @throws SamesightError no model is loaded, or what [Engine.run] throws.
     */
    fun run(tensor: ByteArray): Map<Role, Tensor> =
        lock.withLock { (placement ?: throw SamesightError("no model is loaded; choose one")).engine.run(tensor) }

    /** Gives the model's memory back, as when the system runs low; another load brings it back. */
    override fun close() {
        loading.get()?.cancel()
        lock.withLock { unload() }
    }

    private fun unload() {
        val old = placement
        placement = null
        old?.engine?.close()
    }
}
