package samesight.engine

import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.jupiter.api.Test

private class Box {
    var content = 0
    var prepared = 0
}

private class Waiting : Executor {
    val tasks = ArrayDeque<Runnable>()

    override fun execute(task: Runnable) {
        tasks += task
    }

    fun runAll() {
        while (tasks.isNotEmpty()) tasks.removeFirst().run()
    }
}

class PipelineTest {
    private val results = mutableListOf<Int>()
    private val waiting = Waiting()

    private fun pipeline(runner: Executor, run: (Box) -> Unit = { results += it.prepared }) =
        Pipeline(Box() to Box(), { it.prepared = 10 * it.content }, run, runner)

    private fun Pipeline<Box>.give(content: Int): Boolean {
        val box = take() ?: return false
        box.content = content
        put(box)
        return true
    }

    @Test
    fun `what comes is prepared and run, in order`() {
        val pipeline = pipeline(Executor { it.run() })
        for (i in 1..5) assertTrue(pipeline.give(i))
        assertEquals(listOf(10, 20, 30, 40, 50), results)
    }

    @Test
    fun `what waits makes way for what comes later, and nothing is queued`() {
        val pipeline = pipeline(waiting)
        for (i in 1..7) assertTrue(pipeline.give(i))
        assertEquals(1, waiting.tasks.size)
        waiting.runAll()
        // Two waited: the last two in places that hold no more.
        assertEquals(2, results.size)
        assertEquals(70, results.last())
        assertEquals(results.sorted(), results)
    }

    @Test
    fun `while one runs and one is filled there is no place`() {
        lateinit var pipeline: Pipeline<Box>
        val taken = mutableListOf<Box?>()
        pipeline = pipeline(Executor { it.run() }) {
            taken += pipeline.take()
            taken += pipeline.take()
            pipeline.giveBack(assertNotNull(taken.first()))
        }
        assertTrue(pipeline.give(1))
        assertNotNull(taken[0])
        assertNull(taken[1])
        assertTrue(pipeline.give(2))
    }

    @Test
    fun `what cannot be prepared gives its place back`() {
        val pipeline = Pipeline<Box>(Box() to Box(), { error("no") }, { results += 1 }, Executor { it.run() })
        repeat(4) { assertFailsWith<IllegalStateException> { pipeline.give(it) } }
        assertEquals(emptyList(), results)
    }

    @Test
    fun `the next is prepared while one runs`() {
        val (running, prepared) = CountDownLatch(1) to CountDownLatch(2)
        val runner = Executors.newSingleThreadExecutor()
        var overlapped = false
        val pipeline =
            Pipeline<Box>(
                Box() to Box(),
                { prepared.countDown() },
                {
                    running.countDown()
                    // Waits for the second to be prepared: without overlap it never is.
                    overlapped = overlapped or prepared.await(5, TimeUnit.SECONDS)
                },
                runner,
            )
        pipeline.give(1)
        assertTrue(running.await(5, TimeUnit.SECONDS))
        pipeline.give(2)
        runner.shutdown()
        assertTrue(runner.awaitTermination(10, TimeUnit.SECONDS))
        assertTrue(overlapped)
    }
}
