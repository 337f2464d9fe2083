package samesight.contract

/** Boxes with a label each: where objects are. */
internal val DETECTION_RULES =
    TaskRules(Task.DETECTION, ::checkDetection, ::detectionShapes, ::DetectionDecoder)

private class DetectionDecoder(private val spec: ModelSpec) : Decoder {
    private var detector: Detector? = null
    private var positions = 0

    override fun decode(outputs: Map<Role, Tensor>): Decoded {
        val found = detector(outputs.getValue(Role.LOGITS).shape[1]).run(outputs)
        return Decoded(found.classes.copyOf(found.count), found.scores.copyOf(found.count), found.boxes.copyOf(4 * found.count))
    }

    /** Its buffers are as long as the heads, which are as long in every image of one artifact. */
    private fun detector(count: Int): Detector {
        val kept = detector
        if (kept != null && positions == count) return kept
        positions = count
        return Detector(spec, count).also { detector = it }
    }
}

private fun checkDetection(spec: ModelSpec) {
    val detection =
        requireNotNull(spec.detection?.takeIf { Role.BOXES in spec.outputs.roles }) {
            "a detection needs the field 'detection' and the role 'boxes'"
        }
    val background = detection.background
    require(background == null || background < spec.classCount) {
        "background class $background is outside the ${spec.classCount} classes"
    }
    require(background == null || spec.outputs.activation != Activation.SIGMOID) {
        "a background class goes with softmax or none, not with sigmoid"
    }
    for (stride in detection.boxes.strides) {
        require(spec.input.width % stride == 0 && spec.input.height % stride == 0) {
            "stride $stride does not divide the input ${spec.input.width} x ${spec.input.height}"
        }
    }
}

/** As many positions as the logits have; where there are grids, as many as those. */
private fun detectionShapes(spec: ModelSpec, shapes: Map<Role, List<Int>>): List<ExpectedShape> {
    val logits = shapes.getValue(Role.LOGITS)
    val positions = if (logits.size == 3) logits[1] else 0
    val strides = spec.detection?.boxes?.strides.orEmpty()
    return listOfNotNull(
        ExpectedShape(Role.LOGITS, listOf(1, positions, spec.classCount), "labels or background"),
        ExpectedShape(Role.BOXES, listOf(1, positions, 4), "roles"),
        ExpectedShape(Role.OBJECTNESS, listOf(1, positions, 1), "roles").takeIf { it.role in spec.roles },
        ExpectedShape(Role.BOXES, listOf(1, positionCount(strides, spec.input), 4), "strides or input size")
            .takeIf { strides.isNotEmpty() },
    )
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
    return Detector(spec, positions).run(outputs)
}

private fun Detector.run(outputs: Map<Role, Tensor>): Detections =
    run(
        outputs.getValue(Role.LOGITS).values,
        outputs.getValue(Role.BOXES).values,
        outputs[Role.OBJECTNESS]?.values,
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
