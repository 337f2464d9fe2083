package samesight.contract

/** One image, one class of it: the best labels. */
internal val CLASSIFICATION_RULES =
    TaskRules(Task.CLASSIFICATION, ::checkClassification, ::classificationShapes) { spec ->
        Decoder { outputs ->
            val logits = outputs.getValue(Role.LOGITS).values
            val best = rank(logits, spec.topK)
            val scores = FloatArray(best.size) { activate(logits, 0, logits.size, best[it], spec.outputs.activation) }
            Decoded(best, scores)
        }
    }

private fun checkClassification(spec: ModelSpec) =
    require(spec.detection == null && spec.outputs.roles.keys == setOf(Role.LOGITS)) {
        "a classification has the role 'logits' alone and no field 'detection'"
    }

private fun classificationShapes(spec: ModelSpec, shapes: Map<Role, List<Int>>): List<ExpectedShape> =
    listOf(ExpectedShape(Role.LOGITS, listOf(1, spec.classCount), "labels"))

/**
 * The indices of the best [topK] classes, best first; no more than there are classes.
 *
 * Ranked by raw logit, ties by lower index: scores tie where logits do not (a confident softmax rounds to 1).
 *
 * @param logits finite, one per class.
 */
fun rank(logits: FloatArray, topK: Int): IntArray {
    val best = IntArray(minOf(topK, logits.size))
    var count = 0
    for (index in logits.indices) {
        var place = count
        while (place > 0 && logits[index] > logits[best[place - 1]]) place--
        if (place == best.size) continue
        if (count < best.size) count++
        for (i in count - 1 downTo place + 1) best[i] = best[i - 1]
        best[place] = index
    }
    return best
}
