package samesight.engine

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.util.Properties
import samesight.contract.ComputeUnit
import samesight.contract.Proof
import samesight.contract.Times
import samesight.contract.sha256

private const val TRYING = "trying-"
private const val ENDED = "ended-"
private const val CHOICE = "choice-"
private const val CRASHED = "the app ended while it was tried"
private const val SKIPPED = "it is skipped until the app or the system is updated, or the app's storage is cleared"

/** A choice that was made earlier: the trial that was taken, and all. */
internal data class Choice(val chosen: Trial, val all: List<Trial>)

/**
 * What is known of units from earlier starts of the app, in files.
 *
 * A driver that crashes takes the app with it, and nothing can be caught: so it is noted before a unit is tried, and the
 * note is removed after. A note that is found at the next start tells what to skip. The CPU, without which nothing may
 * be left, is skipped after two.
 *
 * @param folder of this class alone; it lasts, and no backup takes it to another device.
 * @param system what all this belongs to: the versions of the app, of its runtimes and of the system with its drivers.
 *     Where it is another one, all is forgotten.
 * @param isInnocent asked once, where a note is found: whether the app is known to have ended for another reason.
 */
class TrialNotes(folder: File, system: String, isInnocent: () -> Boolean = { false }) {
    private val folder = File(folder, sha256(system.encodeToByteArray()).take(16))

    init {
        folder.listFiles().orEmpty().filter { it != this.folder }.forEach(File::deleteRecursively)
        val left = this.folder.listFiles().orEmpty().filter { it.name.startsWith(TRYING) }
        val innocent = left.isNotEmpty() && isInnocent()
        for (note in left) {
            if (!innocent) end(note.name.removePrefix(TRYING), CRASHED)
            note.delete()
        }
    }

    /** Why [unit] is not to be tried, in a sentence; null where it may be. */
    fun skipped(file: ArtifactFile, unit: ComputeUnit, mode: Mode): String? =
        ended(id(file, unit, mode), if (unit == ComputeUnit.CPU) 2 else 1)

    /** As the other one, of something else than a unit; such as loading a runtime. */
    fun skipped(what: String): String? = ended(sha256(what.encodeToByteArray()).take(32), 2)

    /** What [act] gives; where it ends the app or never answers, [skipped] tells so from then on. */
    fun <T> trying(file: ArtifactFile, unit: ComputeUnit, mode: Mode, act: () -> T): T =
        noting(id(file, unit, mode), act)

    /** As the other one. */
    fun <T> trying(what: String, act: () -> T): T = noting(sha256(what.encodeToByteArray()).take(32), act)

    private fun ended(id: String, most: Int): String? {
        val lines = read(File(folder, ENDED + id))?.lines().orEmpty().filter { it.isNotEmpty() }
        return if (lines.size < most) null else "${lines.last()}; $SKIPPED"
    }

    private fun <T> noting(id: String, act: () -> T): T {
        val note = File(folder, TRYING + id)
        write(note, "")
        try {
            return act()
        } catch (hung: Unresponsive) {
            end(id, hung.message.substringBefore(';'))
            throw hung
        } finally {
            note.delete()
        }
    }

    private fun end(id: String, why: String) {
        val ended = File(folder, ENDED + id)
        write(ended, read(ended).orEmpty() + why + "\n")
    }

    internal fun choice(request: Request): Choice? {
        val text = read(choiceFile(request)) ?: return null
        return try {
            val values = Properties().apply { load(text.reader()) }
            val all = List(values.getProperty("trials").toInt()) { trial(values, "$it.") }
            Choice(all.first { it.unit.name == values.getProperty("chosen") }, all)
        } catch (_: RuntimeException) {
            // Damaged, or of a version that had other words.
            null
        }
    }

    internal fun keep(request: Request, chosen: Trial, all: List<Trial>) {
        val values = Properties()
        values["chosen"] = chosen.unit.name
        values["trials"] = all.size.toString()
        all.forEachIndexed { index, trial -> put(values, "$index.", trial) }
        val text = java.io.StringWriter().also { values.store(it, null) }.toString()
        write(choiceFile(request), text)
    }

    internal fun forget(request: Request) {
        choiceFile(request).delete()
    }

    private fun choiceFile(request: Request): File {
        val key = listOf(request.file.sha256, request.file.artifact.precision, request.units.joinToString())
        return File(folder, CHOICE + sha256(key.joinToString("\n").encodeToByteArray()).take(32))
    }

    private fun id(file: ArtifactFile, unit: ComputeUnit, mode: Mode) =
        sha256("${file.sha256} $unit $mode".encodeToByteArray()).take(32)

    private fun read(file: File): String? =
        try {
            file.takeIf { it.isFile }?.readText()
        } catch (_: IOException) {
            null
        }

    /** A note that cannot be written costs a protection, and not the start of the app. */
    private fun write(file: File, text: String) {
        try {
            folder.mkdirs()
            val new = File(folder, file.name + ".new")
            FileOutputStream(new).use {
                it.write(text.encodeToByteArray())
                it.fd.sync()
            }
            new.renameTo(file)
        } catch (_: IOException) {
            file.delete()
        }
    }
}

private fun put(values: Properties, at: String, trial: Trial) {
    values[at + "unit"] = trial.unit.name
    values[at + "mode"] = trial.mode.name
    values[at + "slower"] = trial.slower.toString()
    values[at + "delegates"] = trial.delegates.joinToString("\n")
    values[at + "notes"] = trial.notes.joinToString("\n")
    trial.proof?.let { values[at + "proof"] = it.name }
    trial.refusal?.let { values[at + "refusal"] = it }
    trial.times?.let { values[at + "times"] = "${it.load} ${it.first} ${it.steady}" }
}

private fun trial(values: Properties, at: String): Trial {
    fun lines(name: String) = values.getProperty(at + name).split("\n").filter { it.isNotEmpty() }
    val times = values.getProperty(at + "times")?.split(" ")?.map { it.toDouble() }
    return Trial(
        unit = ComputeUnit.valueOf(values.getProperty(at + "unit")),
        proof = values.getProperty(at + "proof")?.let(Proof::valueOf),
        times = times?.let { (load, first, steady) -> Times(load, first, steady) },
        slower = values.getProperty(at + "slower").toBoolean(),
        delegates = lines("delegates"),
        refusal = values.getProperty(at + "refusal"),
        mode = Mode.valueOf(values.getProperty(at + "mode")),
        notes = lines("notes"),
    )
}
