package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxHeight
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.dp

/** The camera's moving image or the chosen photo, filling what it is given. */
typealias Preview = @Composable (Modifier) -> Unit

/**
 * The whole app: the live screen or the self-test.
 *
 * @param preview shows the image of [State.source]; boxes are drawn over it here.
 */
@Composable
fun SamesightApp(state: State, preview: Preview, onEvent: (Event) -> Unit) {
    if (state.testing) SelfTestScreen(state, onEvent) else LiveScreen(state, preview, onEvent)
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
internal fun Titled(title: String, back: (() -> Unit)?, action: (@Composable () -> Unit)?, content: @Composable (PaddingValues) -> Unit) {
    Scaffold(
        topBar = {
            TopAppBar(
                title = { Text(title, maxLines = 1, modifier = Modifier.semantics { heading() }) },
                navigationIcon = { if (back != null) TextButton(back) { Text("Back") } },
                actions = { action?.invoke() },
            )
        },
        content = content,
    )
}

@Composable
private fun LiveScreen(state: State, preview: Preview, onEvent: (Event) -> Unit) {
    val action: @Composable () -> Unit = { TextButton({ onEvent(Event.ShowSelfTest) }) { Text("Self-test") } }
    Titled(state.bundle ?: "Samesight", null, action.takeIf { state.bundle != null }) { padding ->
        BoxWithConstraints(Modifier.padding(padding).fillMaxSize()) {
            val wide = maxWidth > maxHeight
            val most = (0.55f * maxHeight.value).dp
            Column {
                Notices(state, Modifier.heightIn(max = most), onEvent)
                when {
                    state.bundles.isNotEmpty() -> Live(state, preview, wide, most, onEvent)
                    // At the start they are still being read.
                    state.model != Model.Loading -> NoBundles(onEvent)
                }
            }
        }
    }
}

@Composable
private fun Live(state: State, preview: Preview, wide: Boolean, most: Dp, onEvent: (Event) -> Unit) {
    if (wide) {
        Row {
            ImagePane(state, preview, Modifier.weight(1f).fillMaxHeight(), onEvent)
            Controls(state, Modifier.weight(1f), onEvent)
        }
        return
    }
    Column {
        ImagePane(state, preview, Modifier.fillMaxWidth().heightIn(max = most), onEvent)
        Controls(state, Modifier.weight(1f), onEvent)
    }
}

@Composable
private fun Controls(state: State, modifier: Modifier, onEvent: (Event) -> Unit) {
    Column(
        modifier.fillMaxWidth().verticalScroll(rememberScrollState()).padding(16.dp),
        verticalArrangement = Arrangement.spacedBy(12.dp),
    ) {
        Answers(state)
        WhatRan(state, onEvent)
        Sources(state, onEvent)
        Choices(state, onEvent)
        Latencies(state.latencies)
    }
}
