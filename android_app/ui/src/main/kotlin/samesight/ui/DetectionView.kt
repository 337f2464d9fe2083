package samesight.ui

import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import samesight.contract.Answer
import samesight.contract.Task

/** How many objects of each label there are, and boxes around them. */
internal object DetectionView : TaskView {
    override val task = Task.DETECTION
    override val name = "Detection"

    @Composable
    override fun Results(answers: List<Answer>) {
        val counts = answers.groupingBy { it.label }.eachCount().toSortedMap()
        val text = counts.entries.joinToString(" · ") { (label, count) -> if (count == 1) label else "$label ($count)" }
        Text(text.ifEmpty { "Nothing found" }, style = MaterialTheme.typography.titleMedium)
    }

    @Composable
    override fun Overlay(seen: Seen, modifier: Modifier) = Boxes(seen, modifier)

    override fun spoken(answers: List<Answer>): String {
        val first = spoken(answers.first())
        return if (answers.size == 1) first else "${answers.size} objects, first $first"
    }
}
