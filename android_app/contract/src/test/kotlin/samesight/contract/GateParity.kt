package samesight.contract

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** Prints the gates, one precision a line, then that between int8 artifacts, then what [gateFor] says of each case. */
internal fun gateParity(cases: List<JsonObject>) {
    for ((precision, gate) in GATES) println(JsonObject(mapOf("precision" to JsonPrimitive(precision)) + numbers(gate)))
    println(JsonObject(mapOf("steps_apart" to JsonPrimitive(STEPS_APART))))
    for (case in cases) {
        val unit = ComputeUnit.entries.first { it.label == case.text("unit") }
        println(sentenceOr { JsonObject(numbers(gateFor(case.text("precision"), unit))).toString() })
    }
}

private fun numbers(gate: Gate): Map<String, JsonPrimitive> =
    mapOf(
        "snr_db" to gate.snrDb,
        "agreement" to gate.agreement,
        "iou" to gate.iou,
        "metric_drop" to gate.metricDrop,
    ).mapValues { JsonPrimitive(it.value) }
