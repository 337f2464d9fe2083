package samesight.contract

/** Raw outputs by role, float32, flat and row-major, with their shapes. */
class Tensor(val shape: List<Int>, val values: FloatArray)

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
 * Boxes of one image.
 *
 * @param outputs logits [1, N, C], boxes [1, N, 4], and objectness [1, N, 1] where the spec has it.
 * @param spec of the task detection.
 * @throws SamesightError a candidate's box is not finite.
 */
fun detect(outputs: Map<Role, Tensor>, spec: ModelSpec): Detections {
    val positions = outputs.getValue(Role.LOGITS).shape[1]
    return Detector(spec, positions).run(
        outputs.getValue(Role.LOGITS).values,
        outputs.getValue(Role.BOXES).values,
        outputs[Role.OBJECTNESS]?.values,
    )
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
    private val grid = gridPoints(rule.boxes.strides, spec.input)
    private val threshold = rawThreshold(rule.scoreThreshold, spec.outputs.activation)
    private val classes = IntArray(positions)
    private val ranking = FloatArray(positions)
    private val order = LongArray(positions)
    private val boxes = FloatArray(4 * positions)
    private val sorted = IntArray(positions)
    private val kept = IntArray(minOf(positions, rule.maxDetections))
    private val found = Detections(kept.size)

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
        found.count = suppress(boxes, sorted, count, limit, kept)
        for (i in 0 until found.count) collect(i, order[kept[i]].toInt(), objectness == null)
        return found
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
            }
            classes[position] = best
            ranking[position] = value
            if (value >= least) order[count++] = sortKey(value, position)
        }
        return count
    }

    private fun collect(index: Int, position: Int, withoutObjectness: Boolean) {
        boxes.copyInto(found.boxes, 4 * index, 4 * kept[index], 4 * kept[index] + 4)
        val rawRanking = withoutObjectness && spec.outputs.activation == Activation.SIGMOID
        found.scores[index] = if (rawRanking) sigmoid(ranking[position]) else ranking[position]
        val background = rule.background ?: Int.MAX_VALUE
        found.classes[index] = if (classes[position] > background) classes[position] - 1 else classes[position]
        found.positions[index] = position
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

/**
 * A box x1, y1, x2, y2 in input pixels from the raw box of a position; all in float32.
 *
 * @param raw [N, 4].
 * @param grid of [gridPoints].
 * @param into takes the box from [at] on.
 * @return false where a raw or decoded value is not finite.
 */
internal fun decode(
    raw: FloatArray,
    position: Int,
    coding: BoxCoding,
    input: Input,
    grid: FloatArray,
    into: FloatArray,
    at: Int,
): Boolean {
    val from = 4 * position
    val stride = if (coding.unit == BoxUnit.STRIDE) grid[3 * position + 2] else 1f
    val across = if (coding.unit == BoxUnit.FRACTION) input.width.toFloat() else stride
    val down = if (coding.unit == BoxUnit.FRACTION) input.height.toFloat() else stride
    val a = raw[from] * across
    val b = raw[from + 1] * down
    val c = raw[from + 2] * across
    val d = raw[from + 3] * down
    when (coding.coding) {
        Coding.DISTANCES -> {
            val x = grid[3 * position]
            val y = grid[3 * position + 1]
            put(into, at, x - positive(a), y - positive(b), x + positive(c), y + positive(d))
        }
        Coding.CORNERS -> put(into, at, a, b, if (c > a) c else a, if (d > b) d else b)
        Coding.CENTER_SIZE -> {
            val halfX = positive(c) * 0.5f
            val halfY = positive(d) * 0.5f
            put(into, at, a - halfX, b - halfY, a + halfX, b + halfY)
        }
    }
    for (i in 0 until 4) if (!raw[from + i].isFinite() || !into[at + i].isFinite()) return false
    return true
}

private fun put(boxes: FloatArray, at: Int, x1: Float, y1: Float, x2: Float, y2: Float) {
    boxes[at] = x1
    boxes[at + 1] = y1
    boxes[at + 2] = x2
    boxes[at + 3] = y2
}

private fun positive(value: Float): Float = if (value > 0f) value else 0f

/** Middle x, middle y and stride of every position [N, 3]: grid by grid, each row by row; exact. */
fun gridPoints(strides: List<Int>, input: Input): FloatArray {
    val result = FloatArray(3 * positionCount(strides, input))
    var at = 0
    for (stride in strides) {
        for (row in 0 until input.height / stride) {
            for (column in 0 until input.width / stride) {
                result[at++] = (column + 0.5f) * stride
                result[at++] = (row + 0.5f) * stride
                result[at++] = stride.toFloat()
            }
        }
    }
    return result
}

/** How many positions the grids of these strides have. */
fun positionCount(strides: List<Int>, input: Input): Int =
    strides.sumOf { (input.width / it) * (input.height / it) }
