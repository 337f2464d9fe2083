package androidx.compose.ui.viewinterop

import android.content.Context
import android.view.View
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier

private fun signatureOnly(): Nothing =
    throw UnsupportedOperationException("a compile-only signature of Compose for Android")

/** A view of the framework's in the place of an element; [onRelease] is called when it leaves for good. */
@Composable
@Suppress("UNUSED_PARAMETER")
fun <T : View> AndroidView(
    factory: (Context) -> T,
    modifier: Modifier = Modifier,
    onReset: ((T) -> Unit)? = null,
    onRelease: (T) -> Unit = {},
    update: (T) -> Unit = {},
): Unit = signatureOnly()
