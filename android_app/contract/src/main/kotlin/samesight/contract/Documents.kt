package samesight.contract

import java.io.File
import java.io.IOException
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** The schema of each kind of document that this reader knows; 1 where none is named. */
private val SCHEMA_VERSIONS = mapOf("Manifest" to 2, "Verdicts" to 2)

private val LITERAL = Regex("true|false|null|-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?|NaN|-?Infinity")

/**
 * Reads a document from JSON text.
 *
 * @param parse makes the document of its fields.
 * @throws SamesightError not JSON, of another schema, or contradicting itself; the sentence begins with [source].
 */
internal fun <T> parseDocument(name: String, text: ByteArray, source: String, parse: (Fields) -> T): T {
    val data = parseJson(text, source)
    val field = (data as? JsonObject)?.get("schema_version") as? JsonPrimitive
    val word = field?.takeUnless { it.isString }?.content?.takeIf(INTEGER::matches)
    val known = SCHEMA_VERSIONS[name] ?: 1
    if (word != null) {
        // A number of more bits than ours is newer than all.
        val version = word.toLongOrNull() ?: if (word.startsWith("-")) Long.MIN_VALUE else Long.MAX_VALUE
        if (version > known) {
            throw SamesightError(
                "$source: written by a newer samesight (schema $word, this one reads $known); update samesight",
            )
        }
        if (version in 1 until known) {
            throw SamesightError(
                "$source: written by an older samesight (schema $word, this one reads $known); make it anew",
            )
        }
    }
    try {
        return Value(data, "").fields(name) {
            it.optional("schema_version", known) { schemaVersion(known) }
            parse(it)
        }
    } catch (problem: FieldProblem) {
        throw SamesightError("$source: ${oneLine(problem.message)}; mend it or make it anew")
    }
}

/** Reads a document from a file (errors as in [parseDocument], and a file that cannot be read). */
internal fun <T> readDocument(name: String, file: File, parse: (Fields) -> T): T {
    val text =
        try {
            if (checkPlain(file).length() > DOCUMENT_BYTES) {
                throw SamesightError(
                    "$file: has more than ${grouped(DOCUMENT_BYTES)} bytes; not a document of ours",
                )
            }
            file.readBytes()
        } catch (error: IOException) {
            val reason = if (file.exists()) error.message else "No such file or directory"
            throw SamesightError("$file: $reason; is this the right folder?")
        }
    return parseDocument(name, text, file.path, parse)
}

private fun Value.schemaVersion(known: Int): Int {
    val version = (json as? JsonPrimitive)?.takeUnless { it.isString }?.content?.toDoubleOrNull()
    return if (version == known.toDouble()) known else wrong("Input should be $known")
}

private fun parseJson(text: ByteArray, source: String): JsonElement {
    try {
        val data = Json.parseToJsonElement(text.decodeToString(throwOnInvalidSequence = true))
        checkLiterals(data)
        return data
    } catch (error: SerializationException) {
        val reason = oneLine(error.message.orEmpty().lineSequence().first())
        throw SamesightError("$source: not a JSON document ($reason); make it anew")
    } catch (_: CharacterCodingException) {
        throw SamesightError("$source: not a JSON document (not UTF-8); make it anew")
    } catch (_: StackOverflowError) {
        throw SamesightError("$source: not a JSON document (nested too deeply); make it anew")
    }
}

/** The parser takes any unquoted word for a literal; JSON does not. */
private fun checkLiterals(element: JsonElement) {
    when (element) {
        is JsonObject -> element.values.forEach(::checkLiterals)
        is JsonArray -> element.forEach(::checkLiterals)
        is JsonPrimitive ->
            if (!element.isString && !LITERAL.matches(element.content)) {
                throw SerializationException("${element.content} is no JSON value")
            }
    }
}
