package samesight.engine

import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.test.assertContains
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.junit.jupiter.api.Test
import samesight.contract.ComputeUnit.CPU
import samesight.contract.ComputeUnit.GPU
import samesight.contract.Role
import samesight.contract.SamesightError

private const val SHORT = 200L

class WatchTest {
    private val go = CountDownLatch(1)

    private fun waitForever() {
        go.await(60, TimeUnit.SECONDS)
    }

    @Test
    fun `what answers is as without a watch, and all on one thread`() {
        val threads = mutableSetOf<Thread>()
        val inner =
            FakeOpener(
                mapOf(
                    CPU to Behaviour(opening = { threads += Thread.currentThread() }, operations = 7) { tensor ->
                        threads += Thread.currentThread()
                        logits(tensor)
                    },
                ),
            )
        val opener = WatchedOpener { inner }
        repeat(2) {
            opener.open(sums, CPU).use { engine ->
                assertEquals(true to 7L, engine.certain to engine.operations)
                val output = engine.run(cases[0].tensor).getValue(Role.LOGITS)
                assertContentEquals(logits(cases[0].tensor), output.values)
            }
        }
        assertEquals(1 to 0, threads.size to inner.inMemory)
        assertEquals("status 504 for GPU", assertFailsWith<SamesightError> { opener.open(sums, GPU) }.message)
    }

    @Test
    fun `errors come through as they are`() {
        val full = Behaviour(opening = { throw OutOfMemoryError("heap") })
        val missing = Behaviour(opening = { throw UnsatisfiedLinkError("no litert_jni") })
        val opener = WatchedOpener { FakeOpener(mapOf(CPU to full, GPU to missing)) }
        assertFailsWith<OutOfMemoryError> { opener.open(sums, CPU) }
        assertFailsWith<UnsatisfiedLinkError> { opener.open(sums, GPU) }
    }

    @Test
    fun `a runtime that hangs when it is made is given up`() {
        assertFailsWith<Unresponsive> {
            WatchedOpener(SHORT) {
                waitForever()
                FakeOpener(emptyMap())
            }
        }
        go.countDown()
    }

    @Test
    fun `a load that hangs is given up, others go on, and what it loads at last is closed`() {
        val inner = FakeOpener(mapOf(GPU to Behaviour(opening = ::waitForever), CPU to Behaviour()))
        val opener = WatchedOpener(SHORT) { inner }
        assertContains(assertFailsWith<Unresponsive> { opener.open(sums, GPU) }.message, "the GPU did not answer")
        opener.open(sums, CPU).use { it.run(cases[0].tensor) }
        go.countDown()
        val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20)
        while ((inner.opened.size < 2 || inner.inMemory > 0) && System.nanoTime() < end) Thread.sleep(5)
        assertEquals(0, inner.inMemory)
    }

    @Test
    fun `a run that hangs is given up, and neither runs nor close wait for it again`() {
        val inner =
            FakeOpener(
                mapOf(
                    GPU to Behaviour { tensor ->
                        waitForever()
                        logits(tensor)
                    },
                ),
            )
        val engine = WatchedOpener(SHORT) { inner }.open(sums, GPU)
        assertFailsWith<Unresponsive> { engine.run(cases[0].tensor) }
        val start = System.nanoTime()
        assertContains(assertFailsWith<Unresponsive> { engine.run(cases[0].tensor) }.message, "not answer any more")
        engine.close()
        assertTrue(System.nanoTime() - start < TimeUnit.SECONDS.toNanos(10))
        go.countDown()
    }
}
