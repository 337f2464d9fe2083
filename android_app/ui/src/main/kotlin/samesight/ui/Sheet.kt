package samesight.ui

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.material3.Button
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.role
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp

/**
 * What is always seen of the sheet: what the model says, and one line of what ran.
 *
 * @param open whether the rest is seen too; null where it always is.
 * @param toggle opens or closes it.
 */
@Composable
internal fun SheetHeader(state: State, open: Boolean?, modifier: Modifier = Modifier, toggle: () -> Unit, onEvent: (Event) -> Unit) {
    Column(modifier.fillMaxWidth().padding(horizontal = 16.dp), Arrangement.spacedBy(4.dp)) {
        // Before a model has run, nothing found would be said of images that nobody looked at.
        if (state.model is Model.Ready && state.seeing) state.taskView?.Summary(state.seen?.answers)
        val line = Modifier.fillMaxWidth().heightIn(min = 48.dp)
        if (open == null) {
            StatusLine(state, line)
        } else {
            val label = if (open) "close the story" else "open the story"
            Row(line.clickable(onClickLabel = label, role = Role.Button, onClick = toggle), verticalAlignment = Alignment.CenterVertically) {
                StatusLine(state, Modifier.weight(1f))
                Icon(if (open) Icons.down else Icons.up, null, tint = MaterialTheme.colorScheme.onSurfaceVariant)
            }
        }
        if (state.model == Model.Released) Button({ onEvent(Event.LoadAgain) }) { Text("Load again") }
    }
}

/** Such as `GPU · 2.3 ms · certain`. */
@Composable
private fun StatusLine(state: State, modifier: Modifier) {
    val model = state.model
    val announced = if (model is Model.Ready) modifier else modifier.semantics { liveRegion = LiveRegionMode.Polite }
    Column(announced, Arrangement.spacedBy(4.dp, Alignment.CenterVertically)) {
        val failed = model is Model.Failed
        val color = if (failed) MaterialTheme.colorScheme.error else MaterialTheme.colorScheme.onSurfaceVariant
        Text(statusLine(model), color = color, style = MaterialTheme.typography.bodyMedium, maxLines = 3, overflow = TextOverflow.Ellipsis)
        if (model == Model.Loading) LinearProgressIndicator(Modifier.fillMaxWidth())
    }
}

/** All else: the answers one by one, what ran and why nothing better did, and all that can be chosen. */
@Composable
internal fun SheetContent(state: State, modifier: Modifier = Modifier, onEvent: (Event) -> Unit) {
    Column(modifier.fillMaxWidth().padding(16.dp), Arrangement.spacedBy(16.dp)) {
        Answers(state)
        Threshold(state, onEvent)
        WhatRan(state)
        Latencies(state.latencies)
        HorizontalDivider()
        Choices(state, onEvent)
        HorizontalDivider()
        ToSelfTest(onEvent)
    }
}

@Composable
private fun ToSelfTest(onEvent: (Event) -> Unit) {
    Row(
        Modifier.fillMaxWidth().heightIn(min = 56.dp).clickable(role = Role.Button) { onEvent(Event.ShowSelfTest) },
        Arrangement.spacedBy(16.dp),
        Alignment.CenterVertically,
    ) {
        Icon(Icons.check, null, tint = MaterialTheme.colorScheme.primary)
        Column(Modifier.weight(1f).padding(vertical = 8.dp)) {
            Text("Self-test", style = MaterialTheme.typography.titleSmall)
            Text(
                "Does this phone give the server's answers?",
                style = MaterialTheme.typography.bodySmall,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
        }
        Icon(Icons.next, null, Modifier.size(24.dp), tint = MaterialTheme.colorScheme.onSurfaceVariant)
    }
}
