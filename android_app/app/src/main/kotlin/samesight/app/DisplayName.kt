package samesight.app

import android.content.Context
import android.database.Cursor
import android.net.Uri
import android.provider.OpenableColumns

/** What a person calls the file behind a content URI: its provider's words, or else the end of the URI. */
internal fun displayName(context: Context, uri: Uri): String =
    asked(context, uri, OpenableColumns.DISPLAY_NAME) { getString(0) } ?: uri.lastPathSegment ?: uri.toString()

/** The length of the file behind a content URI; null where its provider does not say. */
internal fun declaredBytes(context: Context, uri: Uri): Long? =
    asked(context, uri, OpenableColumns.SIZE) { if (isNull(0)) null else getLong(0) }

private fun <T> asked(context: Context, uri: Uri, column: String, read: Cursor.() -> T?): T? =
    try {
        val found = context.contentResolver.query(uri, arrayOf(column), null, null, null)
        found?.use { if (it.moveToFirst()) it.read() else null }
    } catch (_: Exception) {
        // Providers are other people's programs; the file itself may be readable all the same.
        null
    }
