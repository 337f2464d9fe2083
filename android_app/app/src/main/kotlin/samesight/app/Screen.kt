package samesight.app

import androidx.activity.ComponentActivity
import androidx.activity.compose.BackHandler
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.foundation.Image
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.layout.ContentScale
import samesight.ui.Event
import samesight.ui.SamesightApp
import samesight.ui.SamesightTheme

/** Makes moments an Activity's content: the returned function shows one, and is called on the main thread. */
internal fun ComponentActivity.screen(first: Moment, onEvent: (Event) -> Unit): (Moment) -> Unit {
    var now by mutableStateOf(first)
    // Else the bars' icons are white on the light theme's bars.
    enableEdgeToEdge()
    setContent {
        // Elsewhere the system leaves the app.
        BackHandler(now.state.testing) { onEvent(Event.Back) }
        SamesightTheme {
            val image = now.image
            SamesightApp(now.state, { modifier -> Preview(image, modifier) }, onEvent)
        }
    }
    return { now = it }
}

/** The very image that was looked at, so that the boxes over it fit. */
@Composable
private fun Preview(image: Pixels?, modifier: Modifier) {
    if (image == null) return
    val drawn = remember(image) { bitmap(image).asImageBitmap() }
    // ui describes image and answers in one; their sides have one ratio.
    Image(drawn, contentDescription = null, modifier = modifier, contentScale = ContentScale.FillBounds)
}
