package samesight.ui

import androidx.compose.foundation.background
import androidx.compose.foundation.gestures.detectTransformGestures
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.offset
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.windowInsetsPadding
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.input.pointer.pointerInput
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.min

/** Room for what is touched above and below the image, where the image leaves some. */
private val ABOVE = 64.dp
private val BELOW = 104.dp

/** A phone that lies on its side is not higher: there what is touched stands beside the image's middle. */
private val SHORT = 480.dp

/** The whole image that the network sees, as large as it fits, with its boxes; and what is touched over it. */
@Composable
internal fun Viewfinder(state: State, preview: Preview, insets: WindowInsets, modifier: Modifier, onEvent: (Event) -> Unit) {
    // Dark by day too: an image looks its best on black, and what lies over it is made for that.
    DarkTheme {
        BoxWithConstraints(modifier.background(Color.Black)) {
            val short = maxHeight < SHORT
            if (state.seeing) Picture(state, preview, insets, onEvent)
            Box(Modifier.fillMaxSize().windowInsetsPadding(insets)) {
                if (!state.seeing) Box(Modifier.align(Alignment.Center).padding(top = ABOVE)) { NoCamera(state, onEvent) }
                TopControls(state, Modifier.align(Alignment.TopCenter), onEvent)
                val place = Modifier.align(if (short) Alignment.BottomEnd else Alignment.BottomCenter)
                if (state.seeing) MainControls(state, short, place, onEvent)
            }
        }
    }
}

@Composable
private fun Picture(state: State, preview: Preview, insets: WindowInsets, onEvent: (Event) -> Unit) {
    val description = description(state)
    val zooms = state.live && state.lens.zooms
    val bar = with(LocalDensity.current) { insets.getTop(this).toDp() }
    BoxWithConstraints(Modifier.fillMaxSize().pinched(zooms, onEvent)) {
        val aspect = state.seen?.let { it.width.toFloat() / it.height } ?: state.lens.aspect
        val width = min(maxWidth, maxHeight * aspect)
        val height = width / aspect
        val place = Modifier.offset((maxWidth - width) / 2, top(maxHeight - height, bar)).size(width, height)
        Box(place.semantics { contentDescription = description }) {
            preview(Modifier.fillMaxSize())
            state.seen?.let { state.taskView?.Overlay(it, Modifier.fillMaxSize()) }
        }
    }
}

/** How far down an image begins that leaves so much free: between what is touched, or else right below the [bar]. */
private fun top(free: Dp, bar: Dp): Dp {
    val left = free - bar - ABOVE - BELOW
    return if (left > 0.dp) bar + ABOVE + left / 2 else min(bar, free)
}

private fun Modifier.pinched(zooms: Boolean, onEvent: (Event) -> Unit): Modifier =
    if (!zooms) this
    else pointerInput(Unit) { detectTransformGestures { _, _, by, _ -> if (by != 1f) onEvent(Event.ZoomBy(by)) } }
