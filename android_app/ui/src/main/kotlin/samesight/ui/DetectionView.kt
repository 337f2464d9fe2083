package samesight.ui

import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.text.TextMeasurer
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.unit.dp
import samesight.contract.Answer
import samesight.contract.Task

/** How many objects of each label there are, and boxes around them. */
internal object DetectionView : TaskView {
    override val task = Task.DETECTION
    override val name = "Detection"

    @Composable
    override fun Summary(answers: List<Answer>?) {
        val counts = answers.orEmpty().groupingBy { it.label }.eachCount().toSortedMap()
        val text = counts.entries.joinToString(" · ") { (label, count) -> if (count == 1) label else "$label ($count)" }
        val sum = if (counts.isEmpty()) "" else "${answers?.size} found"
        SummaryLine(if (answers?.isEmpty() == true) "Nothing found" else text, sum)
    }

    @OptIn(ExperimentalLayoutApi::class)
    @Composable
    override fun Results(answers: List<Answer>) {
        FlowRow(horizontalArrangement = Arrangement.spacedBy(16.dp), verticalArrangement = Arrangement.spacedBy(4.dp)) {
            for (answer in answers) Found(answer)
        }
    }

    @Composable
    override fun Overlay(seen: Seen, modifier: Modifier) = Boxes(seen, modifier)

    override fun DrawScope.draw(seen: Seen, measurer: TextMeasurer, style: TextStyle) = drawBoxes(seen, measurer, style)

    override fun spoken(answers: List<Answer>): String {
        val first = spoken(answers.first())
        return if (answers.size == 1) first else "${answers.size} objects, first $first"
    }
}

/** With the colour of its box. */
@Composable
private fun Found(answer: Answer) {
    Row(
        Modifier.clearAndSetSemantics { contentDescription = spoken(answer) },
        Arrangement.spacedBy(6.dp),
        Alignment.CenterVertically,
    ) {
        Box(Modifier.size(12.dp).background(hue(answer.index), CircleShape))
        Text("${answer.label} ${percent(answer.score)}", style = MaterialTheme.typography.bodyMedium)
    }
}
