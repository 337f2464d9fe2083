package samesight.engine

import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.test.assertContains
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import org.junit.jupiter.api.Test
import samesight.contract.ComputeUnit.CPU
import samesight.contract.Role
import samesight.contract.SamesightError

class ModelHolderTest {
    private val holder = ModelHolder()

    private fun load(opener: FakeOpener) = holder.load { place(request(CPU), opener, it) }

    @Test
    fun `runs what was loaded`() {
        load(FakeOpener(mapOf(CPU to Behaviour())))
        val tensor = cases[1].tensor
        assertContentEquals(logits(tensor), holder.run(tensor).getValue(Role.LOGITS).values)
    }

    @Test
    fun `says that nothing is loaded, before a load and after close`() {
        assertContains(assertFailsWith<SamesightError> { holder.run(cases[0].tensor) }.message, "no model is loaded")
        val opener = FakeOpener(mapOf(CPU to Behaviour()))
        load(opener)
        holder.close()
        holder.close()
        assertEquals(0, opener.inMemory)
        assertFailsWith<SamesightError> { holder.run(cases[0].tensor) }
        load(opener)
        holder.run(cases[0].tensor)
    }

    @Test
    fun `a second load gives the first model's memory back before it begins`() {
        val first = FakeOpener(mapOf(CPU to Behaviour()))
        load(first)
        load(FakeOpener(mapOf(CPU to Behaviour(opening = { assertEquals(0, first.inMemory) }))))
        assertEquals(0, first.inMemory)
    }

    @Test
    fun `a load that fails leaves nothing behind`() {
        val first = FakeOpener(mapOf(CPU to Behaviour()))
        load(first)
        assertFailsWith<SamesightError> { load(FakeOpener(emptyMap())) }
        assertEquals(0, first.inMemory)
        assertFailsWith<SamesightError> { holder.run(cases[0].tensor) }
    }

    @Test
    fun `a second load cancels the first one that is under way`() {
        val begun = CountDownLatch(1)
        val go = CountDownLatch(1)
        val waiting =
            Behaviour(opening = {
                begun.countDown()
                go.await(10, TimeUnit.SECONDS)
            })
        val first = FakeOpener(mapOf(CPU to waiting))
        val second = FakeOpener(mapOf(CPU to Behaviour()))
        var thrown: Throwable? = null
        val loader = thread { thrown = runCatching { load(first) }.exceptionOrNull() }
        begun.await(10, TimeUnit.SECONDS)
        val other = thread { load(second) }
        // The second load stands in line for the lock once it has cancelled the first.
        while (other.state != Thread.State.WAITING) Thread.sleep(1)
        go.countDown()
        loader.join()
        other.join()
        assertIs<CancellationException>(thrown)
        assertEquals(0 to 1, first.inMemory to second.inMemory)
        holder.run(cases[0].tensor)
    }

    @Test
    fun `close waits for the run under way`() {
        val inside = CountDownLatch(1)
        val go = CountDownLatch(1)
        var wait = false
        val opener =
            FakeOpener(
                mapOf(
                    CPU to Behaviour { tensor ->
                        if (wait) {
                            inside.countDown()
                            go.await(10, TimeUnit.SECONDS)
                        }
                        logits(tensor)
                    },
                ),
            )
        load(opener)
        wait = true
        var failed = false
        val runner = thread { failed = runCatching { holder.run(cases[0].tensor) }.isFailure }
        inside.await(10, TimeUnit.SECONDS)
        val closer = thread { holder.close() }
        while (closer.state != Thread.State.WAITING) Thread.sleep(1)
        assertEquals(1, opener.inMemory)
        go.countDown()
        runner.join()
        closer.join()
        assertFalse(failed)
        assertEquals(0, opener.inMemory)
    }
}
