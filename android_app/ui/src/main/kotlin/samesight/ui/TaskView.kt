package samesight.ui

import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.text.TextMeasurer
import androidx.compose.ui.text.TextStyle
import samesight.contract.Answer
import samesight.contract.Task

/** How one task is called and how its answers are shown; [TASK_VIEWS] has one of these for each. */
internal interface TaskView {
    val task: Task

    /** For people. */
    val name: String

    /** The answers in one line; null before there are any. */
    @Composable fun Summary(answers: List<Answer>?)

    /** The answers one by one. */
    @Composable fun Results(answers: List<Answer>)

    /** The answers over an image that fills this element. */
    @Composable fun Overlay(seen: Seen, modifier: Modifier)

    /** The same over a picture for a file, which fills all of what is drawn on. */
    fun DrawScope.draw(seen: Seen, measurer: TextMeasurer, style: TextStyle)

    /** What TalkBack says of the answers, of which there is one at least. */
    fun spoken(answers: List<Answer>): String
}

/** The view of every task. */
internal val TASK_VIEWS: Map<Task, TaskView> = listOf(ClassificationView, DetectionView).associateBy { it.task }

/** The view of the chosen bundle's task. */
internal val State.taskView: TaskView?
    get() = chosen?.let { TASK_VIEWS.getValue(it.task) }
