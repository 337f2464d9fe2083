package samesight.app

import android.content.Intent
import java.io.File
import java.io.IOException

// What `samesight device` gives to `am start --es`; conversion/device/errands.py has the same words.
private const val TOKEN = "samesight.errand"
private const val TESTS = "samesight.test"
private const val MODEL = "samesight.model"
private const val FOLDER = "errands"
private val TOKENS = Regex("[0-9a-f]{16}")

/**
 * What a computer asks for by `adb`: to open a pack, to run a self-test, or both. It reads how it went in one line of a
 * file beside the pack: "running DONE ALL NEXT", "opened MODEL", "tested MODEL" or "failed SENTENCE".
 *
 * All is in the app's own folder, where `adb` may write in debug builds alone (`run-as`).
 *
 * @property tests whether the self-test is asked for.
 * @property model whose; null for the bundle of the pack, or the chosen one.
 */
class Errand(private val folder: File, private val token: String, val tests: Boolean, val model: String?) {
    private val said = File(folder, "$token.said")
    private val pack = File(folder, "$token.zip")

    /** The pack that came with it, if one did. */
    val packed: Picked?
        get() = if (pack.isFile) Picked({ pack.name }, { pack.length() }) { pack.inputStream() } else null

    /** Whether it is to be done now: a system that starts the app again gives its last intent again. */
    fun begin(): Boolean {
        if (said.exists()) return false
        // Of errands that were broken off.
        folder.listFiles().orEmpty().filterNot { it.name.startsWith(token) }.forEach { it.delete() }
        say("running 0 1 ")
        return true
    }

    /** Tells how a self-test stands. */
    fun running(done: Int, all: Int, next: String) = say("running $done $all $next")

    /** Tells that the pack was opened. */
    fun opened(model: String) = say("opened $model")

    /** Hands over what a self-test gave. */
    fun tested(model: String, results: String) {
        if (write("$token.json", results)) say("tested $model") else failed("the results cannot be written; make room")
    }

    /** Tells why it could not be done. */
    fun failed(sentence: String) = say("failed $sentence")

    private fun say(line: String) {
        write(said.name, line.replace('\n', ' '))
    }

    /** Whole or not at all, since a computer may read at any time. */
    private fun write(name: String, text: String): Boolean =
        try {
            folder.mkdirs()
            val new = File(folder, "$name.new")
            new.writeText(text)
            new.renameTo(File(folder, name))
        } catch (_: IOException) {
            false
        }
}

/** The errand of an intent, if it has one. [files]: the app's folder. */
internal fun errandOf(intent: Intent?, files: File): Errand? {
    val token = intent?.getStringExtra(TOKEN)?.takeIf(TOKENS::matches) ?: return null
    return Errand(File(files, FOLDER), token, intent.getBooleanExtra(TESTS, false), intent.getStringExtra(MODEL))
}
