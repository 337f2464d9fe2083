package samesight.app

import android.content.Context
import android.net.Uri
import android.provider.OpenableColumns

/** What a person calls the file behind a content URI: its provider's words, or else the end of the URI. */
internal fun displayName(context: Context, uri: Uri): String {
    val name =
        try {
            context.contentResolver.query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use {
                if (it.moveToFirst()) it.getString(0) else null
            }
        } catch (_: Exception) {
            // Providers are other people's programs; the file itself may be readable all the same.
            null
        }
    return name ?: uri.lastPathSegment ?: uri.toString()
}
