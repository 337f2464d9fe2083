package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.FilledIconButton
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButtonDefaults
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.role
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp

// What is touched over an image has a dark ground of its own, since images may be bright.
private val GROUND = Color.Black.copy(alpha = 0.55f)

/** The model's name, torch and side. */
@Composable
internal fun TopControls(state: State, modifier: Modifier, onEvent: (Event) -> Unit) {
    Row(
        modifier.fillMaxWidth().padding(8.dp),
        Arrangement.spacedBy(8.dp),
        Alignment.CenterVertically,
    ) {
        Box(Modifier.weight(1f)) { Name(state.bundle ?: APP) }
        if (state.live && state.lens.torch) {
            val icon = if (state.torch) Icons.torch else Icons.torchOff
            Round(icon, if (state.torch) "Torch off" else "Torch on") { onEvent(Event.Torch(!state.torch)) }
        }
        // Another camera may work where this one failed.
        if (state.lens.switchable && (state.live || state.source == Source.CAMERA && state.camera is Camera.Failed)) {
            val other = if (state.front) "back" else "front"
            Round(Icons.flip, "Switch to the $other camera") { onEvent(Event.SwitchCamera) }
        }
    }
}

@Composable
private fun Name(text: String) {
    Surface(shape = CircleShape, color = GROUND, contentColor = Color.White) {
        val place = Modifier.padding(horizontal = 16.dp, vertical = 10.dp).semantics { heading() }
        Text(text, place, maxLines = 1, overflow = TextOverflow.Ellipsis, style = MaterialTheme.typography.titleMedium)
    }
}

/**
 * The one large button, which stops the moving image or brings it back, and what there is to do beside it.
 *
 * @param upright one below the other, instead of side by side.
 */
@Composable
internal fun MainControls(state: State, upright: Boolean, modifier: Modifier, onEvent: (Event) -> Unit) {
    if (upright) {
        Column(modifier.padding(8.dp), Arrangement.spacedBy(12.dp), Alignment.CenterHorizontally) {
            Left(state, onEvent)
            Primary(state, onEvent)
            Right(state, onEvent)
        }
        return
    }
    Row(
        modifier.widthIn(max = 420.dp).fillMaxWidth().padding(horizontal = 24.dp, vertical = 16.dp),
        Arrangement.SpaceBetween,
        Alignment.CenterVertically,
    ) {
        Left(state, onEvent)
        Primary(state, onEvent)
        Right(state, onEvent)
    }
}

@Composable
private fun Left(state: State, onEvent: (Event) -> Unit) {
    if (state.still) Round(Icons.save, "Save the picture with its boxes") { onEvent(Event.SavePicture) }
    else Round(Icons.photo, "Choose a photo") { onEvent(Event.PickPhoto) }
}

@Composable
private fun Right(state: State, onEvent: (Event) -> Unit) {
    when {
        state.still -> Round(Icons.share, "Share the picture and its results") { onEvent(Event.Share) }
        state.live && state.lens.zooms -> Zoom(state, onEvent)
        else -> Spacer(Modifier.size(48.dp))
    }
}

@Composable
private fun Primary(state: State, onEvent: (Event) -> Unit) {
    when {
        state.source == Source.PHOTO -> Large(Icons.camera, "Back to the camera") { onEvent(Event.UseCamera) }
        state.paused -> Large(Icons.play, "Go on") { onEvent(Event.Resume) }
        else -> Large(Icons.pause, "Pause") { onEvent(Event.Pause) }
    }
}

@Composable
private fun Large(icon: ImageVector, description: String, act: () -> Unit) {
    val colors = IconButtonDefaults.filledIconButtonColors(Color.White, Color.Black)
    FilledIconButton(act, Modifier.size(72.dp), colors = colors) { Icon(icon, description, Modifier.size(36.dp)) }
}

@Composable
private fun Round(icon: ImageVector, description: String, act: () -> Unit) {
    val colors = IconButtonDefaults.filledIconButtonColors(GROUND, Color.White)
    FilledIconButton(act, Modifier.size(48.dp), colors = colors) { Icon(icon, description) }
}

/** For those who do not pinch: each touch goes on to the next of 1, 2, 4 …, and back from the largest. */
@Composable
private fun Zoom(state: State, onEvent: (Event) -> Unit) {
    val spoken = Modifier.semantics(mergeDescendants = true) {
        contentDescription = "Zoom ${ratio(state.zoom)}"
        role = Role.Button
    }
    Surface({ onEvent(Event.ZoomTo(nextZoom(state))) }, spoken.size(48.dp), shape = CircleShape, color = GROUND, contentColor = Color.White) {
        Box(contentAlignment = Alignment.Center) {
            // Of one size, as an icon is: it says the same aloud.
            val size = with(LocalDensity.current) { 13.dp.toSp() }
            Text(ratio(state.zoom), fontSize = size, style = MaterialTheme.typography.labelMedium, maxLines = 1, softWrap = false)
        }
    }
}

/** The next of 1, 2, 4 … that is larger than the zoom now, if the lens has it; else 1. */
internal fun nextZoom(state: State): Float =
    generateSequence(1f) { 2 * it }.first { it > state.zoom + 0.05f }.takeIf { it <= state.lens.mostZoom } ?: 1f
