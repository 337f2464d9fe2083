package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.material3.FilterChip
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import samesight.contract.ComputeUnit

private val UNITS = listOf(null) + ComputeUnit.entries.asReversed()

/** Camera, its other side, or photo. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
internal fun Sources(state: State, onEvent: (Event) -> Unit) {
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Chip("Camera", state.source == Source.CAMERA) { onEvent(Event.UseCamera) }
        if (state.source == Source.CAMERA && state.switchable) {
            val description = "Switch to the ${if (state.front) "back" else "front"} camera"
            val spoken = Modifier.semantics { contentDescription = description }
            OutlinedButton({ onEvent(Event.SwitchCamera) }, spoken) { Text("Switch") }
        }
        Chip("Photo", state.source == Source.PHOTO) { onEvent(Event.PickPhoto) }
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
        OutlinedButton({ onEvent(Event.OpenBundle) }) { Text("Open …") }
        state.chosen?.takeIf { it.opened }?.let { chosen ->
            val description = "Remove ${chosen.name}, which was opened from a file"
            val spoken = Modifier.semantics { contentDescription = description }
            OutlinedButton({ onEvent(Event.RemoveBundle(chosen.name)) }, spoken) { Text("Remove") }
        }
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
