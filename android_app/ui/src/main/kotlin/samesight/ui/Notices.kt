package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
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
    val scheme = MaterialTheme.colorScheme
    val colors = CardDefaults.cardColors(containerColor = scheme.error, contentColor = scheme.onError)
    Card(Modifier.fillMaxWidth().semantics { liveRegion = LiveRegionMode.Assertive }, colors = colors) {
        Told(sentence, dismiss)
    }
}

@Composable
private fun Success(sentence: String, dismiss: () -> Unit) {
    Card(Modifier.fillMaxWidth().semantics { liveRegion = LiveRegionMode.Polite }) {
        Told(sentence, dismiss)
    }
}

@Composable
private fun Told(sentence: String, dismiss: () -> Unit) {
    Row(Modifier.padding(start = 16.dp, end = 4.dp)) {
        Text(sentence, Modifier.weight(1f).padding(vertical = 14.dp), style = MaterialTheme.typography.bodyMedium)
        IconButton(dismiss) { Icon(Icons.close, "Dismiss") }
    }
}

@Composable
private fun Waits(sentence: String) {
    Panel(sentence, Modifier.semantics { liveRegion = LiveRegionMode.Polite }) {
        LinearProgressIndicator(Modifier.fillMaxWidth())
    }
}
