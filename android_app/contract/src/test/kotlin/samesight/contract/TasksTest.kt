package samesight.contract

import kotlin.test.Test
import kotlin.test.assertEquals

class TasksTest {
    @Test
    fun `every task has its rules`() {
        assertEquals(Task.entries.toSet(), TASKS.keys)
        for ((task, rules) in TASKS) assertEquals(task, rules.task)
    }
}
