package samesight.contract

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.security.MessageDigest

private val writing = mutableSetOf<File>()

/** Hexadecimal SHA-256 of bytes. */
fun sha256(data: ByteArray): String = hexadecimal(MessageDigest.getInstance("SHA-256").digest(data))

/** Hexadecimal SHA-256 of a file's content. */
fun fileSha256(file: File): String {
    val digest = MessageDigest.getInstance("SHA-256")
    val buffer = ByteArray(1 shl 16)
    file.inputStream().use {
        var count = it.read(buffer)
        while (count >= 0) {
            digest.update(buffer, 0, count)
            count = it.read(buffer)
        }
    }
    return hexadecimal(digest.digest())
}

internal fun hexadecimal(bytes: ByteArray): String {
    val digits = "0123456789abcdef"
    return buildString {
        for (byte in bytes) append(digits[(byte.toInt() shr 4) and 15]).append(digits[byte.toInt() and 15])
    }
}

/**
 * Refuses a pipe, a device or a socket: those may never end, or never begin. A folder, or nothing, is left to the reader.
 *
 * @throws SamesightError with one sentence.
 */
internal fun checkPlain(file: File): File {
    if (file.exists() && !file.isFile && !file.isDirectory) {
        throw SamesightError("$file: is not a plain file; copy what it gives to a file and give that")
    }
    return file
}

/** [folder] with `.new` or `.old` after its name. */
fun beside(folder: File, suffix: String): File = File(folder.absoluteFile.parentFile, folder.name + suffix)

/** Whether a path is a symbolic link (`java.nio.file` asks for Android 8). */
internal fun isLink(file: File): Boolean {
    val inside = File(file.absoluteFile.parentFile.canonicalFile, file.name)
    return inside.canonicalFile != inside
}

/**
 * Gives [fill] an empty folder beside [folder]; when it ends well, that takes [folder]'s place.
 *
 * The order is: `.new` written, [folder] renamed to `.old`, `.new` renamed to [folder], `.old` removed. A kill between
 * two steps is mended by [recover]. Only writers of this process are kept apart: an app's files are its own.
 *
 * @param complete tells whether a folder is whole.
 * @throws SamesightError another thread is writing there, or the place is not writable.
 */
fun replacing(folder: File, complete: (File) -> Boolean, fill: (File) -> Unit) {
    val new = beside(folder, ".new")
    synchronized(writing) {
        if (!writing.add(new)) {
            throw SamesightError("$new: another process is writing here; wait for it or choose another place")
        }
    }
    try {
        recover(folder, complete)
        new.deleteRecursively()
        if (!new.mkdirs()) throw IOException("no folder can be made here")
        fill(new)
        flush(new)
        exchange(folder, new)
    } catch (error: IOException) {
        throw SamesightError("$folder: cannot be written (${error.message}); choose another place or make room")
    } finally {
        new.deleteRecursively()
        synchronized(writing) { writing -= new }
    }
}

/** Finishes or rolls back an exchange that was interrupted; without one, does nothing. */
fun recover(folder: File, complete: (File) -> Boolean) {
    val new = beside(folder, ".new")
    val old = beside(folder, ".old")
    if (!old.isDirectory) return
    if (!folder.exists() && new.isDirectory && complete(new)) new.renameTo(folder)
    if (!folder.exists()) old.renameTo(folder)
    old.deleteRecursively()
}

private fun exchange(folder: File, new: File) {
    val old = beside(folder, ".old")
    if (folder.exists() && !folder.renameTo(old)) throw IOException("the old one cannot be renamed")
    if (!new.renameTo(folder)) throw IOException("the new one cannot be renamed")
    old.deleteRecursively()
}

private fun flush(folder: File) {
    for (file in folder.walk().filter { it.isFile }) RandomAccessFile(file, "rw").use { it.fd.sync() }
}
