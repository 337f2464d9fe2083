package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.widthIn
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import samesight.engine.Trial

/** What the model says of the image, as its task shows it. */
@Composable
internal fun Answers(state: State) {
    // Before a model has run, nothing found would be said of images that nobody looked at.
    val seen = state.seen?.takeIf { state.model is Model.Ready } ?: return
    state.taskView?.Results(seen.answers)
}

/** One line in large letters that keeps its height, so that nothing jumps from image to image. */
@Composable
internal fun SummaryLine(text: String, right: String) {
    Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(16.dp), Alignment.CenterVertically) {
        val style = MaterialTheme.typography.titleLarge
        Text(text, Modifier.weight(1f), style = style, maxLines = 1, overflow = TextOverflow.Ellipsis)
        Text(right, style = MaterialTheme.typography.titleMedium, color = MaterialTheme.colorScheme.onSurfaceVariant, maxLines = 1)
    }
}

/** What really ran, and why nothing better did. */
@Composable
internal fun WhatRan(state: State) {
    when (val model = state.model) {
        Model.None, Model.Loading -> Unit
        Model.Released ->
            Panel("Memory was low") {
                Text("The model was unloaded; close other apps first.", style = MaterialTheme.typography.bodyMedium)
            }
        is Model.Failed ->
            Panel("The model does not run") {
                Text(model.sentence, style = MaterialTheme.typography.bodyMedium, color = MaterialTheme.colorScheme.error)
            }
        is Model.Ready ->
            Panel("What really ran") {
                Text(whatRan(model.chosen), style = MaterialTheme.typography.titleMedium)
                Text(figures(model.chosen), style = MaterialTheme.typography.bodyMedium)
                for (trial in model.trials.filter { it != model.chosen }) Other(trial)
            }
    }
}

@Composable
private fun Other(trial: Trial) {
    Row(Modifier.semantics(mergeDescendants = true) {}, verticalAlignment = Alignment.Top) {
        val room = Modifier.widthIn(min = 48.dp).padding(end = 8.dp)
        Text(trial.unit.name, room, style = MaterialTheme.typography.labelLarge)
        val refusal = trial.refusal
        val slower = if (trial.slower) "slower than the CPU · " else ""
        val text = if (refusal == null) slower + figures(trial) else "refused: $refusal"
        Text(text, style = MaterialTheme.typography.bodySmall)
    }
}

@Composable
internal fun Panel(title: String, modifier: Modifier = Modifier, content: @Composable () -> Unit) {
    Card(modifier.fillMaxWidth(), colors = CardDefaults.cardColors()) {
        Column(Modifier.padding(12.dp), verticalArrangement = Arrangement.spacedBy(6.dp)) {
            Text(title, style = MaterialTheme.typography.titleSmall, modifier = Modifier.semantics { heading() })
            content()
        }
    }
}
