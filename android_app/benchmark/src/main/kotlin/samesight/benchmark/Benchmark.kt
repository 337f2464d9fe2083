package samesight.benchmark

import java.io.File
import java.io.IOException
import java.lang.management.ManagementFactory
import java.util.Locale
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.double
import kotlinx.serialization.json.jsonPrimitive
import samesight.contract.Helpers
import samesight.contract.nativeLoaded

private val THREADS = ManagementFactory.getThreadMXBean()
private const val WARM_UP = 300
private const val ROUNDS = 200
private const val FASTEST = 10

/**
 * Milliseconds of one job: the tenth fastest of [ROUNDS] runs in turn; null where there is nothing to compare with.
 *
 * @property inC of the library in C on one thread, and [inCOnTwo] on two; null where it was not built.
 */
private class Row(
    val name: String,
    val ours: Double,
    val openCv: Double,
    val pillow: Double? = null,
    val inC: Double? = null,
    val inCOnTwo: Double? = null,
)

/** `[--json] [--python PYTHON]`: the contract against OpenCV and Pillow, on one thread where nothing else is said. */
fun main(arguments: Array<String>) {
    val python = arguments.indexOf("--python").let { if (it < 0) "python3" else arguments[it + 1] }
    val version = loadOpenCv()
    val frame = cameraFrame()
    val pillow = pillowTimes(python)
    val rows = Helpers(1).use { helpers -> JOBS.mapIndexed { i, job -> pixels(frame, job, pillow?.get(i), helpers) } }
    val all = rows + suppression(candidates())
    val rates = rates(List(2) { ourPixels(frame, JOBS[0], nativeLoaded) })
    if ("--json" in arguments) println(json(all, rates, version))
    else print(table(all, rates, version, python, pillow != null))
}

private fun pixels(frame: ByteArray, job: PixelJob, pillow: Double?, helpers: Helpers): Row {
    val kotlin = ourPixels(frame, job, native = false)
    val openCv = openCvPixels(frame, job)
    val inC = if (nativeLoaded) listOf(ourPixels(frame, job, true), ourPixels(frame, job, true, helpers)) else emptyList()
    val times = times(listOf(kotlin, openCv) + inC)
    return Row("$WIDTH x $HEIGHT YUV, ${job.name}", times[0], times[1], pillow, times.getOrNull(2), times.getOrNull(3))
}

private fun suppression(candidates: Candidates): Row {
    val ours = ourSuppression(candidates)
    val openCv = openCvSuppression(candidates.boxes, candidates.scores, candidates.classes)
    val kept = ours()
    // Ours keeps what touches the threshold, and rounds to float32: a box or two may differ, no more.
    check(kotlin.math.abs(kept - openCv()) <= 2) { "$kept boxes kept here, ${openCv()} by OpenCV" }
    val (ourTime, openCvTime) = times(listOf({ ours() }, { openCv() }))
    return Row("suppression of $BOXES boxes ($kept stay)", ourTime, openCvTime)
}

/** Milliseconds of all, run in turn: the tenth fastest of [ROUNDS] runs, so that a machine that does other things too tells. */
private fun times(works: List<() -> Unit>): List<Double> {
    for (work in works) repeat(WARM_UP) { work() }
    val samples = List(works.size) { DoubleArray(ROUNDS) }
    for (round in 0 until ROUNDS) for (i in works.indices) samples[i][round] = milliseconds(works[i])
    return samples.map { it.sorted()[FASTEST - 1] }
}

/** Of this thread's time: other programs do not count. */
private fun milliseconds(work: () -> Unit): Double {
    val start = THREADS.currentThreadCpuTime
    work()
    return (THREADS.currentThreadCpuTime - start) / 1e6
}

/** Pillow's milliseconds per job; null where this Python has no Pillow. */
private fun pillowTimes(python: String): List<Double>? {
    val script = File.createTempFile("pillow_times", ".py")
    try {
        script.writeBytes(checkNotNull(Row::class.java.getResourceAsStream("/pillow_times.py")).readBytes())
        val sizes =
            JOBS.flatMap {
                listOf(it.left, it.top, it.right, it.bottom, it.scaledWidth, it.scaledHeight, it.quarterTurns)
            }
        val command = listOf(python, script.path) + (listOf(WIDTH, HEIGHT, ROUNDS, FASTEST) + sizes).map { "$it" }
        val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start()
        val text = process.inputStream.bufferedReader().readText()
        if (process.waitFor() != 0) return null
        return (Json.parseToJsonElement(text) as JsonArray).map { it.jsonPrimitive.double }
    } catch (_: IOException) {
        return null
    } finally {
        script.delete()
    }
}

private fun table(rows: List<Row>, rates: Rates, version: String, python: String, withPillow: Boolean): String =
    buildString {
        val titles = listOf("Kotlin", "C", "C, 2 thr.", "OpenCV", "Pillow", "Kt/OpenCV", "C/OpenCV", "C2/OpenCV")
        appendLine(line("tenth fastest of $ROUNDS, one thread", titles))
        for (row in rows) {
            val times = listOf(row.ours, row.inC, row.inCOnTwo, row.openCv, row.pillow).map { it?.let { "${number(it)} ms" } }
            val ratios = listOf(row.ours, row.inC, row.inCOnTwo).map { it?.let { number(it / row.openCv) } }
            appendLine(line(row.name, (times + ratios).map { it ?: "-" }))
        }
        appendLine(
            "frames per second with a network of $NETWORK_MILLISECONDS ms: ${number(rates.overlapped)} overlapped, " +
                "${number(rates.inTurn)} in turn; ${rates.bytes.toInt()} bytes of garbage per frame.",
        )
        appendLine("OpenCV $version. Java ${System.getProperty("java.version")}.")
        if (!nativeLoaded) appendLine("No library in C: no C compiler was found.")
        if (!withPillow) appendLine("$python has no Pillow; name one that has it with --python.")
    }

private fun line(name: String, columns: List<String>) = "%-54s".format(name) + columns.joinToString("") { "%10s".format(it) }

private fun number(value: Double): String = "%.2f".format(Locale.ROOT, value)

private fun json(rows: List<Row>, rates: Rates, version: String): JsonElement =
    JsonObject(
        mapOf(
            "opencv" to JsonPrimitive(version),
            "java" to JsonPrimitive(System.getProperty("java.version")),
            "rounds" to JsonPrimitive(ROUNDS),
            "rows" to JsonArray(rows.map(::jsonRow)),
            "network_milliseconds" to JsonPrimitive(NETWORK_MILLISECONDS),
            "frames_per_second" to JsonPrimitive(rates.overlapped),
            "frames_per_second_in_turn" to JsonPrimitive(rates.inTurn),
            "bytes_per_frame" to JsonPrimitive(rates.bytes),
        ),
    )

private fun number(value: Double?): JsonElement = value?.let(::JsonPrimitive) ?: JsonNull

private fun jsonRow(row: Row) =
    JsonObject(
        mapOf(
            "name" to JsonPrimitive(row.name),
            "milliseconds" to JsonPrimitive(row.ours),
            "c_milliseconds" to number(row.inC),
            "c_two_threads_milliseconds" to number(row.inCOnTwo),
            "opencv_milliseconds" to JsonPrimitive(row.openCv),
            "pillow_milliseconds" to number(row.pillow),
            "to_opencv" to JsonPrimitive(row.ours / row.openCv),
            "c_to_opencv" to number(row.inC?.div(row.openCv)),
            "c_two_threads_to_opencv" to number(row.inCOnTwo?.div(row.openCv)),
            "to_pillow" to number(row.pillow?.let { row.ours / it }),
        ),
    )
