package androidx.activity.compose

import androidx.activity.ComponentActivity
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionContext

/** Makes [content] all that the Activity shows. */
fun ComponentActivity.setContent(
    @Suppress("UNUSED_PARAMETER") parent: CompositionContext? = null,
    @Suppress("UNUSED_PARAMETER") content: @Composable () -> Unit,
): Unit = throw UnsupportedOperationException("a compile-only signature of androidx.activity")
