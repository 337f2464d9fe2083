package samesight.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Color
import android.view.SurfaceView
import androidx.activity.ComponentActivity
import androidx.activity.SystemBarStyle
import androidx.activity.compose.BackHandler
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.foundation.Image
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asAndroidBitmap
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.text.font.createFontFamilyResolver
import androidx.compose.ui.viewinterop.AndroidView
import samesight.ui.Event
import samesight.ui.SamesightApp
import samesight.ui.SamesightTheme
import samesight.ui.State
import samesight.ui.pictureWithAnswers

/** Makes moments an Activity's content: the returned function shows one, and is called on the main thread. */
internal fun ComponentActivity.screen(first: Moment, camera: CameraPreview, onEvent: (Event) -> Unit): (Moment) -> Unit {
    var now by mutableStateOf(first)
    // Else the bars' icons are white on the light theme's bars.
    enableEdgeToEdge()
    setContent {
        val onBlack = now.state.onBlack
        // The viewfinder is black by day too.
        LaunchedEffect(onBlack) {
            val bar = SystemBarStyle.dark(Color.TRANSPARENT)
            if (onBlack) enableEdgeToEdge(statusBarStyle = bar) else enableEdgeToEdge()
        }
        // Elsewhere the system leaves the app.
        BackHandler(now.state.testing) { onEvent(Event.Back) }
        SamesightTheme {
            val image = now.image
            SamesightApp(now.state, { modifier -> Preview(image, camera, modifier) }, onEvent = onEvent)
        }
    }
    return { now = it }
}

/** The very image that was looked at, so that the boxes over it fit; while it moves, straight from the camera. */
@Composable
private fun Preview(image: Pixels?, camera: CameraPreview, modifier: Modifier) {
    if (image == null) {
        AndroidView({ context -> SurfaceView(context).also(camera::attach) }, modifier, onRelease = camera::detach)
        return
    }
    val drawn = remember(image) { bitmap(image).asImageBitmap() }
    // ui describes image and answers in one; their sides have one ratio.
    Image(drawn, contentDescription = null, modifier = modifier, contentScale = ContentScale.FillBounds)
}

/** The still image with its boxes, for a file. */
internal fun pictureWithAnswers(context: Context, image: Pixels, state: State): Bitmap {
    val seen = checkNotNull(state.seen) { "a still image without answers" }
    val fonts = createFontFamilyResolver(context)
    return pictureWithAnswers(bitmap(image).asImageBitmap(), state, seen, fonts).asAndroidBitmap()
}
