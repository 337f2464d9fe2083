package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import samesight.contract.UnitRun

private const val EXPLAINED =
    "Runs every golden case of this model, from pixels and from camera bytes to answers, with every engine on every " +
        "unit of this phone, and compares with the server model."

/** The golden cases on this phone, and the file that `samesight verify --device-results` judges. */
@Composable
internal fun SelfTestScreen(state: State, insets: WindowInsets, onEvent: (Event) -> Unit) {
    val share: @Composable () -> Unit = {
        if (state.selfTest is SelfTest.Done) {
            IconButton({ onEvent(Event.ShareResults) }) { Icon(Icons.share, "Share the results") }
        }
    }
    Titled("Self-test: ${state.bundle.orEmpty()}", insets, { onEvent(Event.Back) }, share) { padding ->
        BoxWithConstraints(Modifier.padding(padding).fillMaxSize(), Alignment.TopCenter) {
            val most = maxHeight / 2
            Column(Modifier.widthIn(max = 640.dp)) {
                Notices(state, Modifier.heightIn(max = most), onEvent)
                Test(state.selfTest, onEvent)
            }
        }
    }
}

@Composable
private fun Test(test: SelfTest, onEvent: (Event) -> Unit) {
    Column(
        Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(16.dp),
        verticalArrangement = Arrangement.spacedBy(12.dp),
    ) {
        Text(EXPLAINED, style = MaterialTheme.typography.bodyMedium)
        when (test) {
            SelfTest.Idle -> Button({ onEvent(Event.RunSelfTest) }) { Text("Run") }
            is SelfTest.Running -> Progress(test, onEvent)
            is SelfTest.Failed -> {
                Text(test.sentence, color = MaterialTheme.colorScheme.error)
                Button({ onEvent(Event.RunSelfTest) }) { Text("Run again") }
            }
            is SelfTest.Done -> Done(test, onEvent)
        }
    }
}

@Composable
private fun Progress(test: SelfTest.Running, onEvent: (Event) -> Unit) {
    Text("${test.done} of ${test.total}", Modifier.semantics { liveRegion = LiveRegionMode.Polite })
    LinearProgressIndicator(progress = { test.done.toFloat() / maxOf(1, test.total) }, modifier = Modifier.fillMaxWidth())
    Text(test.what, style = MaterialTheme.typography.bodySmall)
    OutlinedButton({ onEvent(Event.CancelSelfTest) }) { Text("Cancel") }
}

@Composable
private fun Done(test: SelfTest.Done, onEvent: (Event) -> Unit) {
    val passed = test.failures.isEmpty()
    val color = if (passed) MaterialTheme.colorScheme.tertiary else MaterialTheme.colorScheme.error
    Row(horizontalArrangement = Arrangement.spacedBy(12.dp), verticalAlignment = Alignment.CenterVertically) {
        Icon(if (passed) Icons.check else Icons.fault, null, tint = color)
        val announced = Modifier.semantics { liveRegion = LiveRegionMode.Polite }
        Text(verdict(test), announced, style = MaterialTheme.typography.titleMedium)
    }
    for (failure in test.failures) {
        Text(failure, style = MaterialTheme.typography.bodyMedium, color = MaterialTheme.colorScheme.error)
    }
    for ((artifact, places) in test.runs.indices.groupBy { test.runs[it].artifact }) {
        Panel(artifact) {
            for ((index, place) in places.withIndex()) {
                if (index > 0) HorizontalDivider()
                Outcome(test.runs[place], test.passed[place])
            }
        }
    }
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Button({ onEvent(Event.SaveResults) }) { Text("Save results") }
        OutlinedButton({ onEvent(Event.RunSelfTest) }) { Text("Run again") }
    }
}

@Composable
private fun Outcome(run: UnitRun, passed: Boolean) {
    val refusal = run.refusal
    val (word, icon, color) =
        when {
            refusal != null -> Triple("not used", Icons.unused, MaterialTheme.colorScheme.onSurfaceVariant)
            passed -> Triple("matches", Icons.check, MaterialTheme.colorScheme.tertiary)
            else -> Triple("differs", Icons.fault, MaterialTheme.colorScheme.error)
        }
    Column(Modifier.semantics(mergeDescendants = true) {}) {
        Row(Modifier.fillMaxWidth(), Arrangement.spacedBy(6.dp), Alignment.CenterVertically) {
            Text(run.unit.name, Modifier.weight(1f), style = MaterialTheme.typography.labelLarge)
            Text(word, style = MaterialTheme.typography.labelLarge, color = color)
            Icon(icon, null, Modifier.size(18.dp), tint = color)
        }
        Text(refusal ?: figures(run), style = MaterialTheme.typography.bodySmall)
        run.proof?.let { Text(it.text, style = MaterialTheme.typography.bodySmall) }
    }
}
