package androidx.activity.compose

import androidx.activity.ComponentActivity
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionContext

private fun signatureOnly(): Nothing =
    throw UnsupportedOperationException("a compile-only signature of androidx.activity")

/** While [enabled], the system's way back calls [onBack] instead. */
@Composable
@Suppress("UNUSED_PARAMETER")
fun BackHandler(enabled: Boolean = true, onBack: () -> Unit): Unit = signatureOnly()

/** Makes [content] all that the Activity shows. */
@Suppress("UNUSED_PARAMETER")
fun ComponentActivity.setContent(
    parent: CompositionContext? = null,
    content: @Composable () -> Unit,
): Unit = signatureOnly()
