package samesight.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException

private const val FOLDER = "shared"
private val TYPES = mapOf("png" to "image/png", "json" to "application/json")

/**
 * What this app shares, for whom a person picks: each of the files of one folder, to read, by the permission that goes
 * with the intent. Nobody lists the folder, and a name with a way in it is none.
 */
class SharedFiles : ContentProvider() {
    companion object {
        /**
         * Writes a file that can be shared from now on; it takes the place of the last of its name.
         *
         * @throws IOException it cannot be written.
         */
        internal fun put(context: Context, name: String, bytes: ByteArray): Uri {
            val folder = File(context.cacheDir, FOLDER)
            if (!folder.isDirectory && !folder.mkdirs()) throw IOException("$folder cannot be made")
            File(folder, name).writeBytes(bytes)
            return Uri.Builder().scheme("content").authority("${context.packageName}.shared").appendPath(name).build()
        }
    }

    override fun onCreate() = true

    override fun getType(uri: Uri): String? = TYPES[uri.lastPathSegment?.substringAfterLast('.')]

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw FileNotFoundException("$uri: can only be read")
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun query(uri: Uri, columns: Array<String>?, where: String?, args: Array<String>?, order: String?): Cursor {
        val file = file(uri)
        val asked = columns ?: arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        val row = asked.map {
            when (it) {
                OpenableColumns.DISPLAY_NAME -> file.name
                OpenableColumns.SIZE -> file.length()
                else -> null
            }
        }
        return MatrixCursor(asked, 1).apply { addRow(row) }
    }

    private fun file(uri: Uri): File {
        val name = uri.pathSegments.singleOrNull().orEmpty()
        // A segment may hold a slash, written as %2F.
        val file = File(File(checkNotNull(context).cacheDir, FOLDER), name)
        if (name.isEmpty() || name == ".." || '/' in name || !file.isFile) throw FileNotFoundException("$uri: is not shared")
        return file
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, where: String?, args: Array<String>?) = 0

    override fun update(uri: Uri, values: ContentValues?, where: String?, args: Array<String>?) = 0
}
