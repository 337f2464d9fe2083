package samesight.contract

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonPrimitive

/** Answers of raw outputs from a seed: label, index, score and box as the bits of float32. */
internal fun answerParity(case: JsonObject): String {
    val spec = case.spec()
    val generator = case.seed()
    val outputs = mutableMapOf<Role, Tensor>()
    for (role in spec.roles) {
        val output = (case.element("outputs") as JsonObject).getValue(role.label) as JsonObject
        outputs[role] = Tensor(output.list("shape"), randomValues(generator, output))
    }
    val geometry = geometry(case.int("width"), case.int("height"), case.orientation(), spec.input)
    return answers(outputs, spec, geometry, upright = case.text("upright") == "true").joinToString(";") {
        val box = it.box?.let { (x1, y1, x2, y2) -> listOf(x1, y1, x2, y2).map(::bits) }.orEmpty()
        (listOf(it.label, it.index, bits(it.score)) + box).joinToString(" ")
    }
}

private fun JsonObject.list(name: String) = (element(name) as JsonArray).map { it.jsonPrimitive.int }

/** Multiples of 1/64, so that ties come up; or int8 values dequantized. */
private fun randomValues(generator: Generator, output: JsonObject): FloatArray {
    val size = output.list("shape").fold(1, Int::times)
    val (low, high) = output.list("bounds")
    if ("scale" in output) {
        val q = ByteArray(size) { (generator.below(high - low + 1) + low).toByte() }
        val values = FloatArray(size)
        dequantize(q, true, output.getValue("scale").jsonPrimitive.double, output.int("zero_point"), values)
        return values
    }
    return FloatArray(size) { (generator.below(high - low + 1) + low) / 64f }
}

private fun bits(value: Float) = value.toRawBits().toUInt().toString(16).padStart(8, '0')
