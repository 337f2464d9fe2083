package samesight.ui

import kotlin.test.assertEquals
import org.junit.jupiter.api.Test
import samesight.contract.Answer
import samesight.contract.Task

class TaskViewTest {
    @Test
    fun `every task has a view of its own name`() {
        assertEquals(Task.entries.toSet(), TASK_VIEWS.keys)
        for ((task, view) in TASK_VIEWS) assertEquals(task, view.task)
        assertEquals(TASK_VIEWS.size, TASK_VIEWS.values.map { it.name }.distinct().size)
    }

    @Test
    fun `the image is described as its task has it`() {
        assertEquals("Camera image: 3, 92 %", description(classifying))
        assertEquals("Camera image: 5 objects, first 1, 89 %", description(detecting))
        assertEquals("Paused camera image: 5 objects, first 1, 89 %", description(paused))
        val one = detecting.seen?.copy(answers = detecting.seen.answers.take(1))
        assertEquals("Photo: 1, 89 %", description(detecting.copy(source = Source.PHOTO, seen = one)))
        val none = one?.copy(answers = emptyList())
        assertEquals("Camera image: nothing found", description(detecting.copy(seen = none)))
        assertEquals("Photo", description(detecting.copy(source = Source.PHOTO, seen = null)))
    }

    @Test
    fun `without a chosen bundle nothing is said of answers`() {
        val seen = Seen(listOf(Answer("8", 8, 0.91f)), 2, 1)
        assertEquals("Camera image", description(State(seen = seen)))
    }
}
