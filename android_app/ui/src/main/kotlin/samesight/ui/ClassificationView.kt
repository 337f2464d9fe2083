package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.text.TextMeasurer
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.unit.dp
import samesight.contract.Answer
import samesight.contract.Task

private const val SHOWN_LABELS = 5

/** The best labels with their scores. */
internal object ClassificationView : TaskView {
    override val task = Task.CLASSIFICATION
    override val name = "Classification"

    @Composable
    override fun Summary(answers: List<Answer>?) {
        val best = answers?.firstOrNull()
        SummaryLine(best?.label.orEmpty(), best?.let { percent(it.score) }.orEmpty())
    }

    @Composable
    override fun Results(answers: List<Answer>) {
        Column(verticalArrangement = Arrangement.spacedBy(4.dp)) {
            answers.take(SHOWN_LABELS).forEachIndexed { place, answer -> Label(answer, place == 0) }
        }
    }

    /** A label is of the whole image. */
    @Composable
    override fun Overlay(seen: Seen, modifier: Modifier) = Unit

    /** The label below the image's top edge. */
    override fun DrawScope.draw(seen: Seen, measurer: TextMeasurer, style: TextStyle) {
        val best = seen.answers.firstOrNull() ?: return
        drawLabel(best, Offset.Zero, measurer, style)
    }

    override fun spoken(answers: List<Answer>): String = spoken(answers.first())
}

@Composable
private fun Label(answer: Answer, best: Boolean) {
    val style = if (best) MaterialTheme.typography.titleMedium else MaterialTheme.typography.bodyMedium
    Column(Modifier.clearAndSetSemantics { contentDescription = spoken(answer) }) {
        Row(Modifier.fillMaxWidth(), Arrangement.SpaceBetween) {
            Text(answer.label, Modifier.weight(1f), style = style)
            Text(percent(answer.score), style = style)
        }
        LinearProgressIndicator(progress = { answer.score }, modifier = Modifier.fillMaxWidth(), drawStopIndicator = {})
    }
}
