package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.FilterChip
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Slider
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import samesight.contract.ComputeUnit

/** Below it a detector that was trained with a sigmoid finds something everywhere. */
private const val LEAST = 0.05f
private const val MOST = 0.95f
private val UNITS = listOf(null) + ComputeUnit.entries.asReversed()

/** The least score of what is shown, where the model has one. */
@Composable
internal fun Threshold(state: State, onEvent: (Event) -> Unit) {
    val own = state.chosen?.threshold ?: return
    val least = state.threshold ?: own
    Column {
        Row(Modifier.fillMaxWidth(), Arrangement.SpaceBetween, Alignment.CenterVertically) {
            val title = "Score of ${percent(least)} or more"
            Text(title, Modifier.semantics { heading() }, style = MaterialTheme.typography.titleSmall)
            if (state.threshold != null) {
                TextButton({ onEvent(Event.ChooseThreshold(null)) }) { Text("Back to ${percent(own)}") }
            }
        }
        Slider(
            value = least,
            onValueChange = { onEvent(Event.ChooseThreshold(it)) },
            modifier = Modifier.semantics { contentDescription = "Least score" },
            valueRange = LEAST..MOST,
        )
    }
}

/** Task, bundle, engine and unit. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
internal fun Choices(state: State, onEvent: (Event) -> Unit) {
    val tasks = state.bundles.map { it.task }.distinct().sorted()
    if (tasks.size > 1) {
        Chosen("Task") {
            for (task in tasks) {
                Chip(TASK_VIEWS.getValue(task).name, state.chosen?.task == task) { onEvent(Event.ChooseTask(task)) }
            }
        }
    }
    Chosen("Model") {
        for (bundle in state.bundles.filter { state.chosen == null || it.task == state.chosen?.task }) {
            val origin = if (bundle.opened) ", opened from a file" else ""
            val description = "${bundle.name}, ${bundle.labels} labels$origin"
            Chip(bundle.name, bundle.name == state.bundle, description) { onEvent(Event.ChooseBundle(bundle.name)) }
        }
        state.chosen?.takeIf { it.opened }?.let { chosen ->
            val description = "Remove ${chosen.name}, which was opened from a file"
            IconButton({ onEvent(Event.RemoveBundle(chosen.name)) }) { Icon(Icons.remove, description) }
        }
        IconButton({ onEvent(Event.OpenBundle) }) { Icon(Icons.open, "Open a packed bundle") }
    }
    if (state.artifacts.isNotEmpty()) {
        Chosen("Engine") {
            for (artifact in state.artifacts) {
                val unproven = artifact.passed != true
                val description = name(artifact) + if (unproven) ", without a passing verdict" else ""
                val shown = name(artifact) + if (unproven) " · unproven" else ""
                Chip(shown, artifact.name == state.artifact, description) {
                    onEvent(Event.ChooseArtifact(artifact.name))
                }
            }
        }
        for (sentence in state.notOffered) Text(sentence, style = MaterialTheme.typography.bodySmall)
        Chosen("Unit") {
            for (unit in UNITS) Chip(name(unit), unit == state.unit) { onEvent(Event.ChooseUnit(unit)) }
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Chosen(title: String, chips: @Composable () -> Unit) {
    Column {
        Text(title, style = MaterialTheme.typography.titleSmall, modifier = Modifier.semantics { heading() })
        FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) { chips() }
    }
}

@Composable
private fun Chip(text: String, selected: Boolean, description: String = text, act: () -> Unit) {
    FilterChip(
        selected = selected,
        onClick = act,
        label = { Text(text) },
        modifier = Modifier.semantics { contentDescription = description },
    )
}
