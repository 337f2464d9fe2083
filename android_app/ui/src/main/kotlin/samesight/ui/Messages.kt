package samesight.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp

/** What stands in the place of the camera's image, and the way on. */
@Composable
internal fun NoCamera(state: State, onEvent: (Event) -> Unit) {
    val camera = state.camera
    val (title, sentence) =
        when (camera) {
            Camera.Asked -> "May the app use the camera?" to "Images stay on this phone: the app has no internet access."
            Camera.Denied ->
                "The camera is not allowed" to "Allow it here or in the phone's settings, or choose a photo instead."
            is Camera.Failed -> "The camera stopped" to camera.sentence
            else -> "No camera" to "This device has no camera that works. Choose a photo instead."
        }
    Message(title, sentence) {
        val photo = { onEvent(Event.PickPhoto) }
        when (camera) {
            Camera.Asked, Camera.Denied -> Button({ onEvent(Event.AllowCamera) }) { Text("Allow the camera") }
            is Camera.Failed -> Button({ onEvent(Event.RetryCamera) }) { Text("Try again") }
            else -> Button(photo) { Text("Choose a photo") }
        }
        if (camera != Camera.Absent) TextButton(photo) { Text("Choose a photo") }
    }
}

/** Without any bundle there is nothing to run. */
@Composable
internal fun NoBundles(onEvent: (Event) -> Unit) {
    Box(Modifier.fillMaxSize(), Alignment.Center) {
        Message(
            "No models yet",
            "Build the app with one (samesight install BUNDLE android_app), or open a file that samesight pack made.",
        ) {
            Button({ onEvent(Event.OpenBundle) }) { Text("Open a packed bundle") }
        }
    }
}

@Composable
private fun Message(title: String, sentence: String, actions: @Composable () -> Unit) {
    Column(
        // With large letters, or on a phone that lies on its side, it is higher than its place.
        Modifier.verticalScroll(rememberScrollState()).padding(24.dp).widthIn(max = 480.dp),
        verticalArrangement = Arrangement.spacedBy(12.dp),
        horizontalAlignment = Alignment.CenterHorizontally,
    ) {
        val announced = Modifier.semantics {
            liveRegion = LiveRegionMode.Polite
            heading()
        }
        Text(title, announced, textAlign = TextAlign.Center, style = MaterialTheme.typography.titleLarge)
        Text(sentence, style = MaterialTheme.typography.bodyMedium, textAlign = TextAlign.Center)
        actions()
    }
}
