package samesight.contract

import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonPrimitive

// What tests/android runs: prints what this implementation makes of cases that Python drew, one line
// per case; Python compares the lines with its own.

/** `pixels`, `answers`, `documents`, `bundles`, `signatures`, `native` or `gates`, then a file that has one JSON object per line. */
fun main(arguments: Array<String>) {
    val (command, file) = arguments
    val cases = File(file).readLines().map { Json.parseToJsonElement(it) as JsonObject }
    val answer: (JsonObject) -> String =
        when (command) {
            "pixels" -> return pixelParity(cases)
            "answers" -> ::answerParity
            "documents" -> ::documentParity
            "bundles" -> ::bundleParity
            "signatures" -> ::signatureParity
            "native" -> return println(if (nativeLoaded) "loaded" else "not there")
            "gates" -> return gateParity(cases)
            else -> error("no command $command")
        }
    for (case in cases) println(sentenceOr { answer(case) })
}

internal fun sentenceOr(answer: () -> String): String =
    try {
        answer()
    } catch (error: SamesightError) {
        error.message
    }

internal fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

internal fun JsonObject.int(name: String): Int = getValue(name).jsonPrimitive.int

internal fun JsonObject.seed(): Generator = Generator(text("seed").toULong().toLong())

internal fun JsonObject.orientation() =
    Orientation(int("quarter_turns"), getValue("mirrored").jsonPrimitive.boolean)

internal fun JsonObject.spec(): ModelSpec = parseSpec(element("spec").toString().encodeToByteArray(), "spec")

internal fun JsonObject.element(name: String): JsonElement = getValue(name)

private fun documentParity(case: JsonObject): String {
    val text = case.text("text").encodeToByteArray()
    if (case.text("kind") == "spec") parseSpec(text, "document") else parseManifest(text, "document")
    return "accepted"
}
