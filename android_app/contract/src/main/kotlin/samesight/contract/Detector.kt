package samesight.contract

import kotlin.math.sqrt

/**
 * What was found, best first: the first [count] entries of each array.
 *
 * @property boxes [K, 4] x1, y1, x2, y2 with x1 <= x2, y1 <= y2, in input pixels, not clipped.
 * @property scores float32.
 * @property classes indices into the spec's labels (a background class is not counted).
 * @property positions where in the heads each was found.
 */
class Detections(capacity: Int) {
    var count = 0
        internal set
    val boxes = FloatArray(4 * capacity)
    val scores = FloatArray(capacity)
    val classes = IntArray(capacity)
    val positions = IntArray(capacity)
}

/**
 * [detect] for one image after the other: allocates nothing after construction.
 *
 * @param spec of the task detection.
 * @param positions N of the heads.
 */
class Detector(private val spec: ModelSpec, private val positions: Int) {
    private val rule =
        spec.detection
            ?: throw SamesightError("model ${spec.name}: its task is ${spec.task.label}, but detection was asked for")
    private val grid = gridPoints(rule.boxes, spec.input)
    private val threshold = rawThreshold(rule.scoreThreshold, spec.outputs.activation)
    private val classes = IntArray(positions)
    private val ranking = FloatArray(positions)
    private val order = LongArray(positions)
    private val boxes = FloatArray(4 * positions)
    private val sorted = IntArray(positions)
    private val kept = IntArray(minOf(positions, rule.maxDetections))
    private val detections = Detections(kept.size)

    /**
     * @param logits [N, C].
     * @param raw boxes [N, 4].
     * @param objectness [N], or null where the spec has none.
     * @return overwritten by the next call.
     */
    fun run(logits: FloatArray, raw: FloatArray, objectness: FloatArray?): Detections {
        val count = candidates(logits, objectness)
        sort(order, count)
        for (i in 0 until count) {
            val position = order[i].toInt()
            if (!decode(raw, position, rule.boxes, spec.input, grid, boxes, 4 * i)) notFinite(position)
            sorted[i] = classes[position]
        }
        val limit = if (rule.suppression == Suppression.CLASS_WISE) rule.iouThreshold.toFloat() else Float.MAX_VALUE
        detections.count = suppress(boxes, sorted, count, limit, kept)
        for (i in 0 until detections.count) collect(i, order[kept[i]].toInt(), objectness == null)
        return detections
    }

    /** Fills [order] with what reaches the threshold; how many those are. */
    private fun candidates(logits: FloatArray, objectness: FloatArray?): Int {
        val width = spec.classCount
        val activation = spec.outputs.activation
        val raw = objectness == null && activation != Activation.SOFTMAX
        val least = if (objectness == null) threshold else rule.scoreThreshold.toFloat()
        var count = 0
        for (position in 0 until positions) {
            val row = position * width
            val best = bestClass(logits, row, width, rule.background ?: -1)
            var value = if (raw) logits[row + best] else activate(logits, row, width, best, activation)
            if (objectness != null) {
                val present = objectness[position]
                value *= if (activation == Activation.SIGMOID) sigmoid(present) else present
                if (rule.objectness == Combination.GEOMETRIC_MEAN) value = sqrt(positive(value))
            }
            classes[position] = best
            ranking[position] = value
            if (value >= least) order[count++] = sortKey(value, position)
        }
        return count
    }

    private fun collect(index: Int, position: Int, withoutObjectness: Boolean) {
        boxes.copyInto(detections.boxes, 4 * index, 4 * kept[index], 4 * kept[index] + 4)
        val rawRanking = withoutObjectness && spec.outputs.activation == Activation.SIGMOID
        detections.scores[index] = if (rawRanking) sigmoid(ranking[position]) else ranking[position]
        val background = rule.background ?: Int.MAX_VALUE
        detections.classes[index] = if (classes[position] > background) classes[position] - 1 else classes[position]
        detections.positions[index] = position
    }
}

private fun bestClass(logits: FloatArray, from: Int, width: Int, background: Int): Int {
    var best = if (background == 0 && width > 1) 1 else 0
    for (c in best + 1 until width) if (c != background && logits[from + c] > logits[from + best]) best = c
    return best
}

private fun notFinite(position: Int): Nothing =
    throw SamesightError(
        "the box at position $position is not finite; the artifact overflows, take another precision or unit",
    )
