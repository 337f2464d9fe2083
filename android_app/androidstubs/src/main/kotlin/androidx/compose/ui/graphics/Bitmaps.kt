package androidx.compose.ui.graphics

import android.graphics.Bitmap

// Of Compose for Android alone; all other Compose that the app calls is in Compose for desktop too.

/** The bitmap itself, not a copy, as Compose draws it. */
fun Bitmap.asImageBitmap(): ImageBitmap =
    throw UnsupportedOperationException("a compile-only signature of Compose for Android")

/** The same the other way round. */
fun ImageBitmap.asAndroidBitmap(): Bitmap =
    throw UnsupportedOperationException("a compile-only signature of Compose for Android")
