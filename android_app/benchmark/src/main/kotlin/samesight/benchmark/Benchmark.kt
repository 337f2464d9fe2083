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

private val THREADS = ManagementFactory.getThreadMXBean()
private const val WARM_UP = 300
private const val ROUNDS = 200

/** Milliseconds of one job: the medians of [ROUNDS] runs in turn; null where there is nothing to compare with. */
private class Row(val name: String, val ours: Double, val openCv: Double, val pillow: Double?)

/** `[--json] [--python PYTHON]`: the contract against OpenCV, one thread each, and Pillow. */
fun main(arguments: Array<String>) {
    val python = arguments.indexOf("--python").let { if (it < 0) "python3" else arguments[it + 1] }
    val version = loadOpenCv()
    val frame = cameraFrame()
    val candidates = candidates()
    val pillow = pillowTimes(python)
    val rows =
        JOBS.mapIndexed { i, job ->
            val (ours, openCv) = times(ourPixels(frame, job), openCvPixels(frame, job))
            Row("$WIDTH x $HEIGHT YUV, ${job.name}", ours, openCv, pillow?.get(i))
        } + suppression(candidates)
    if ("--json" in arguments) println(json(rows, version)) else print(table(rows, version, python, pillow != null))
}

private fun suppression(candidates: Candidates): Row {
    val ours = ourSuppression(candidates)
    val openCv = openCvSuppression(candidates.boxes, candidates.scores, candidates.classes)
    val kept = ours()
    // Ours keeps what touches the threshold, and rounds to float32: a box or two may differ, no more.
    check(kotlin.math.abs(kept - openCv()) <= 2) { "$kept boxes kept here, ${openCv()} by OpenCV" }
    val (ourTime, openCvTime) = times({ ours() }, { openCv() })
    return Row("suppression of $BOXES boxes ($kept stay)", ourTime, openCvTime, null)
}

/** Medians in milliseconds of both, run in turn, so that whatever slows the machine slows both. */
private fun times(first: () -> Unit, second: () -> Unit): Pair<Double, Double> {
    repeat(WARM_UP) { first() }
    repeat(WARM_UP / 10) { second() }
    val samples = Array(2) { DoubleArray(ROUNDS) }
    for (round in 0 until ROUNDS) {
        samples[0][round] = milliseconds(first)
        samples[1][round] = milliseconds(second)
    }
    return samples.map { it.sorted()[ROUNDS / 2] }.let { (a, b) -> a to b }
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
        val command = listOf(python, script.path) + (listOf(WIDTH, HEIGHT, ROUNDS) + sizes).map { "$it" }
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

private fun table(rows: List<Row>, version: String, python: String, withPillow: Boolean): String =
    buildString {
        appendLine(line("median of $ROUNDS, one thread", "ours", "OpenCV", "Pillow", "/OpenCV", "/Pillow"))
        for (row in rows) {
            val times = listOf(row.ours, row.openCv, row.pillow).map { if (it == null) "-" else "${number(it)} ms" }
            val ratios = listOf(row.openCv, row.pillow).map { if (it == null) "-" else number(row.ours / it) }
            appendLine(line(row.name, times[0], times[1], times[2], ratios[0], ratios[1]))
        }
        appendLine("OpenCV $version. Java ${System.getProperty("java.version")}.")
        if (!withPillow) appendLine("$python has no Pillow; name one that has it with --python.")
    }

private fun line(vararg columns: String) = "%-54s %9s %9s %9s %8s %8s".format(*columns)

private fun number(value: Double) = "%.2f".format(Locale.ROOT, value)

private fun json(rows: List<Row>, version: String): JsonElement =
    JsonObject(
        mapOf(
            "opencv" to JsonPrimitive(version),
            "java" to JsonPrimitive(System.getProperty("java.version")),
            "rounds" to JsonPrimitive(ROUNDS),
            "rows" to JsonArray(rows.map(::jsonRow)),
        ),
    )

private fun jsonRow(row: Row) =
    JsonObject(
        mapOf(
            "name" to JsonPrimitive(row.name),
            "milliseconds" to JsonPrimitive(row.ours),
            "opencv_milliseconds" to JsonPrimitive(row.openCv),
            "pillow_milliseconds" to (row.pillow?.let(::JsonPrimitive) ?: JsonNull),
            "to_opencv" to JsonPrimitive(row.ours / row.openCv),
            "to_pillow" to (row.pillow?.let { JsonPrimitive(row.ours / it) } ?: JsonNull),
        ),
    )
