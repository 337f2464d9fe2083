package samesight.contract

/**
 * The indices of the best [topK] classes, best first; no more than there are classes.
 *
 * Ranked by raw logit, ties by lower index: scores tie where logits do not (a confident softmax rounds to 1).
 *
 * @param logits finite, one per class.
 */
fun rank(logits: FloatArray, topK: Int): IntArray {
    val best = IntArray(minOf(topK, logits.size))
    var found = 0
    for (index in logits.indices) {
        var place = found
        while (place > 0 && logits[index] > logits[best[place - 1]]) place--
        if (place == best.size) continue
        if (found < best.size) found++
        for (i in found - 1 downTo place + 1) best[i] = best[i - 1]
        best[place] = index
    }
    return best
}
