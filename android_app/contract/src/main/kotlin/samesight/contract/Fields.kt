package samesight.contract

import java.math.BigDecimal
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** What is wrong with one field, as `field: what is wrong`; the words are pydantic's, so that Python says the same. */
internal class FieldProblem(override val message: String) : Exception(message)

/** A number's word that has neither point nor exponent. */
internal val INTEGER = Regex("-?[0-9]+")
private const val LEAST = "Input should be greater than or equal to"
private const val MOST = "Input should be less than or equal to"

/** A field's or a file's name for a value of an enumeration. */
val Enum<*>.label: String
    get() = name.lowercase()

/** A JSON value and where it stands: `input.mean.0`. */
internal class Value(val json: JsonElement, val path: String) {
    /** @throws FieldProblem always. */
    fun wrong(message: String): Nothing = throw FieldProblem(if (path.isEmpty()) message else "$path: $message")

    /** An object made of its fields by [parse]; unknown ones are refused. `require` in [parse] names this value. */
    fun <T> fields(name: String, parse: (Fields) -> T): T {
        val values = json as? JsonObject ?: wrong("Input should be a valid dictionary or instance of $name")
        val fields = Fields(values, path)
        try {
            return parse(fields).also { fields.end() }
        } catch (contradiction: IllegalArgumentException) {
            fields.end()
            wrong(contradiction.message.orEmpty())
        }
    }

    /** A text, of [length] characters, that matches [pattern]. */
    fun text(pattern: Regex? = null, length: IntRange? = null): String {
        val text = (json as? JsonPrimitive)?.takeIf { it.isString }?.content ?: wrong("Input should be a valid string")
        if (length != null && text.length < length.first) {
            wrong("String should have at least ${count(length.first, "character")}")
        }
        if (length != null && text.length > length.last) {
            wrong("String should have at most ${count(length.last, "character")}")
        }
        if (pattern != null && !pattern.matches(text)) wrong("String should match pattern '^${pattern.pattern}$'")
        return text
    }

    /** A whole number of [least] to [most]. */
    fun whole(least: Long = Long.MIN_VALUE, most: Long = Long.MAX_VALUE): Long {
        val content = unquoted("Input should be a valid integer", "unable to parse string as an integer")
        val real = content.toDoubleOrNull() ?: wrong("Input should be a valid integer")
        val whole = if (INTEGER.matches(content)) content.toLongOrNull() else whole(real)
        // An integer of more bits than ours is beyond whatever is the limit.
        if (whole == null) wrong(if (real < 0) "$LEAST $least" else "$MOST $most")
        if (whole < least) wrong("$LEAST $least")
        if (whole > most) wrong("$MOST $most")
        return whole
    }

    private fun whole(real: Double): Long {
        if (!real.isFinite()) wrong("Input should be a finite number")
        if (real != kotlin.math.truncate(real)) {
            wrong("Input should be a valid integer, got a number with a fractional part")
        }
        val whole = real.toLong()
        if (whole.toDouble() != real || whole == Long.MAX_VALUE) {
            wrong("Unable to parse input string as an integer, exceeded maximum size")
        }
        return whole
    }

    /** As [whole], of 31 bits and a sign. */
    fun int(least: Int = Int.MIN_VALUE, most: Int = Int.MAX_VALUE): Int = whole(least.toLong(), most.toLong()).toInt()

    /** A finite number. */
    fun number(): Double {
        val content = unquoted("Input should be a valid number", "unable to parse string as a number")
        val real = content.toDoubleOrNull() ?: wrong("Input should be a valid number")
        if (!real.isFinite()) wrong("Input should be a ${if (INTEGER.matches(content)) "valid" else "finite"} number")
        return real
    }

    /** A literal's text; Python also reads numbers in quotes, which nothing of ours writes. */
    private fun unquoted(expected: String, ofText: String): String {
        val literal = json as? JsonPrimitive ?: wrong(expected)
        return if (literal.isString) wrong("$expected, $ofText") else literal.content
    }

    /** A number of 0 to 1. */
    fun fraction(): Double {
        val value = number()
        if (value < 0.0) wrong("Input should be greater than or equal to 0")
        if (value > 1.0) wrong("Input should be less than or equal to 1")
        return value
    }

    fun flag(): Boolean =
        when ((json as? JsonPrimitive)?.takeUnless { it.isString }?.content) {
            "true" -> true
            "false" -> false
            else -> wrong("Input should be a valid boolean")
        }

    /** One of some texts. */
    fun oneOf(among: List<String>): String {
        val text = (json as? JsonPrimitive)?.takeIf { it.isString }?.content
        return text?.takeIf { it in among } ?: wrong("Input should be ${alternatives(among)}")
    }

    /** One of the values of an enumeration by its [label]. */
    fun <E : Enum<E>> choice(among: List<E>): E {
        val text = oneOf(among.map { it.label })
        return among.first { it.label == text }
    }

    /** An array of [least] to [most] elements. */
    fun <T> list(least: Int = 0, most: Int = Int.MAX_VALUE, parse: Value.() -> T): List<T> {
        val array = json as? JsonArray ?: wrong("Input should be a valid tuple")
        val result = array.mapIndexed { i, element -> Value(element, inside(i)).parse() }
        if (result.size > most) {
            wrong("Tuple should have at most ${count(most, "item")} after validation, not ${result.size}")
        }
        if (result.size < least) {
            wrong("Tuple should have at least ${count(least, "item")} after validation, not ${result.size}")
        }
        return result
    }

    /** An array of exactly [size] elements. */
    fun <T> tuple(size: Int, parse: Value.() -> T): List<T> {
        val array = json as? JsonArray ?: wrong("Input should be a valid tuple")
        if (array.size > size) {
            wrong("Tuple should have at most ${count(size, "item")} after validation, not ${array.size}")
        }
        return List(size) { i ->
            val element = array.getOrNull(i) ?: throw FieldProblem("${inside(i)}: Field required")
            Value(element, inside(i)).parse()
        }
    }

    /** An object whose keys are names, in the order of the text. */
    fun <T> map(parse: Value.() -> T): Map<String, T> {
        val entries = json as? JsonObject ?: wrong("Input should be a valid dictionary")
        return entries.mapValues { (key, element) -> Value(element, inside(key)).parse() }
    }

    /** Null as such, or what [parse] makes. */
    fun <T> orNull(parse: Value.() -> T): T? = if (json is JsonNull) null else parse()

    /** The path of a part. */
    fun inside(part: Any): String = if (path.isEmpty()) "$part" else "$path.$part"
}

/** The fields of one object, to be read in the order in which Python declares them. */
internal class Fields(private val values: JsonObject, val path: String) {
    private val known = mutableSetOf<String>()

    /** A field that has to be there. */
    fun <T> required(name: String, parse: Value.() -> T): T = (find(name) ?: missing(name)).parse()

    /** As [required], of a value that may be null. */
    fun <T> nullable(name: String, parse: Value.() -> T): T? = (find(name) ?: missing(name)).orNull(parse)

    /** A field that may be left out. */
    fun <T> optional(name: String, default: T, parse: Value.() -> T): T {
        val value = find(name) ?: return default
        return value.parse()
    }

    /** Refuses fields that were not asked for. */
    fun end() {
        val extra = values.keys.find { it !in known } ?: return
        throw FieldProblem("${Value(values, path).inside(extra)}: Extra inputs are not permitted")
    }

    private fun find(name: String): Value? {
        known += name
        return values[name]?.let { Value(it, Value(values, path).inside(name)) }
    }

    private fun missing(name: String): Nothing =
        throw FieldProblem("${Value(values, path).inside(name)}: Field required")
}

private fun count(number: Int, thing: String) = if (number == 1) "1 $thing" else "$number ${thing}s"

/** `'a', 'b' or 'c'`. */
internal fun alternatives(names: List<String>): String {
    val quoted = names.map { "'$it'" }
    return if (quoted.size == 1) quoted[0] else "${quoted.dropLast(1).joinToString(", ")} or ${quoted.last()}"
}

/** A number as Python's repr writes it, from 1e-4 to 1e16. */
internal fun decimal(value: Double): String {
    val plain = BigDecimal(value.toString()).toPlainString()
    return if ('.' in plain) plain else "$plain.0"
}

/** A text in quotes as Python's repr writes it. */
internal fun quoted(text: String): String {
    val quote = if ('\'' in text && '"' !in text) '"' else '\''
    val escaped =
        text.asSequence().joinToString("") { character ->
            when {
                character == quote || character == '\\' -> "\\$character"
                character == '\n' -> "\\n"
                character == '\r' -> "\\r"
                character == '\t' -> "\\t"
                character < ' ' || character == '\u007f' -> "\\x%02x".format(character.code)
                else -> character.toString()
            }
        }
    return "$quote$escaped$quote"
}
