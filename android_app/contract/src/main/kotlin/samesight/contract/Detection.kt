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
    val coding = spec.detection?.boxes
    val count = coding?.takeIf { it.strides.isNotEmpty() || it.grids.isNotEmpty() }?.let { positionCount(it, spec.input) }
    val fields = if (coding?.grids.isNullOrEmpty()) "strides or input size" else "grids"
    return listOfNotNull(
        ExpectedShape(Role.LOGITS, listOf(1, positions, spec.classCount), "labels or background"),
        ExpectedShape(Role.BOXES, listOf(1, positions, 4), "roles"),
        ExpectedShape(Role.OBJECTNESS, listOf(1, positions, 1), "roles").takeIf { it.role in spec.roles },
        count?.let { ExpectedShape(Role.BOXES, listOf(1, it, 4), fields) },
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
