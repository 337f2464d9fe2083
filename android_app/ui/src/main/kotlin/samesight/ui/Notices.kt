package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp

/** What is told on every screen, above all else: what went wrong, what was done, what is waited for. */
@Composable
internal fun Notices(state: State, modifier: Modifier, onEvent: (Event) -> Unit) {
    val waits =
        when {
            state.opening != null -> "Opening ${state.opening} …"
            state.bundles.isEmpty() && state.model == Model.Loading -> "Reading the models …"
            else -> null
        }
    if (state.problem == null && state.success == null && waits == null) return
    Column(modifier.verticalScroll(rememberScrollState()).padding(16.dp), Arrangement.spacedBy(12.dp)) {
        state.problem?.let { Problem(it) { onEvent(Event.Dismiss) } }
        state.success?.let { Success(it) { onEvent(Event.Dismiss) } }
        waits?.let { Waits(it) }
    }
}

@Composable
private fun Problem(sentence: String, dismiss: () -> Unit) {
    val colors = CardDefaults.cardColors(containerColor = MaterialTheme.colorScheme.error, contentColor = onError())
    Card(Modifier.fillMaxWidth().semantics { liveRegion = LiveRegionMode.Assertive }, colors = colors) {
        Column(Modifier.padding(12.dp)) {
            Text(sentence, style = MaterialTheme.typography.bodyMedium)
            TextButton(dismiss, Modifier.align(Alignment.End)) { Text("Dismiss", color = onError()) }
        }
    }
}

@Composable
private fun Success(sentence: String, dismiss: () -> Unit) {
    Card(Modifier.fillMaxWidth().semantics { liveRegion = LiveRegionMode.Polite }) {
        Column(Modifier.padding(12.dp)) {
            Text(sentence, style = MaterialTheme.typography.bodyMedium)
            TextButton(dismiss, Modifier.align(Alignment.End)) { Text("Dismiss") }
        }
    }
}

@Composable
private fun Waits(sentence: String) {
    Panel(sentence, Modifier.semantics { liveRegion = LiveRegionMode.Polite }) {
        LinearProgressIndicator(Modifier.fillMaxWidth())
    }
}

@Composable private fun onError(): Color = MaterialTheme.colorScheme.onError
