package androidx.compose.ui.text.font

import android.content.Context

/** The system's fonts. */
@Suppress("UNUSED_PARAMETER")
fun createFontFamilyResolver(context: Context): FontFamily.Resolver =
    throw UnsupportedOperationException("a compile-only signature of Compose for Android")
