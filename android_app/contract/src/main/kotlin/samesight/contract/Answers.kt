package samesight.contract

/** A box in pixels of the stored image (or the upright one), float32. */
data class Box(val x1: Float, val y1: Float, val x2: Float, val y2: Float)

/**
 * One class or one found object.
 *
 * @property label the class's name.
 * @property index of [label] in the spec's labels.
 * @property box null in classification.
 */
data class Answer(val label: String, val index: Int, val score: Float, val box: Box? = null)

/**
 * The answers of one image, best first.
 *
 * @param outputs one per role: logits [1, C]; or logits [1, N, C], boxes [1, N, 4], objectness [1, N, 1].
 * @param geometry of the image, from `preprocess`; boxes are mapped back with it. Classification needs none.
 * @param upright boxes in pixels of the upright image (for drawing), not of the stored one.
 * @throws SamesightError the outputs contradict the spec or are not finite; or a detection without geometry.
 */
fun answers(
    outputs: Map<Role, Tensor>,
    spec: ModelSpec,
    geometry: Geometry? = null,
    upright: Boolean = false,
): List<Answer> {
    checkOutputs(outputs, spec)
    if (spec.task == Task.CLASSIFICATION) {
        val logits = outputs.getValue(Role.LOGITS).values
        return rank(logits, spec.topK).map {
            Answer(spec.labels[it], it, activate(logits, 0, logits.size, it, spec.outputs.activation))
        }
    }
    if (geometry == null) {
        throw SamesightError("model ${spec.name}: boxes need the geometry of the image that preprocess returns")
    }
    val found = detect(outputs, spec)
    val input = found.boxes.copyOf(4 * found.count)
    val boxes = if (upright) geometry.toUpright(input) else geometry.toStored(input)
    return List(found.count) {
        val box = Box(boxes[4 * it], boxes[4 * it + 1], boxes[4 * it + 2], boxes[4 * it + 3])
        Answer(spec.labels[found.classes[it]], found.classes[it], found.scores[it], box)
    }
}

/**
 * Compares raw outputs with the spec.
 *
 * @throws SamesightError a role is missing, its class count or number of positions differs from what the spec asks for,
 *     or logits or objectness hold values that are not finite.
 */
fun checkOutputs(outputs: Map<Role, Tensor>, spec: ModelSpec) {
    checkShapes(outputs.mapValues { it.value.shape }, spec)
    for (role in spec.roles) {
        if (role != Role.BOXES && outputs.getValue(role).values.any { !it.isFinite() }) {
            throw SamesightError(
                "model ${spec.name}: output '${role.label}' holds values that are not finite; " +
                    "the artifact overflows, take another precision or unit",
            )
        }
    }
}

/** Compares the shapes of the outputs by role with the spec (see [checkOutputs]). */
fun checkShapes(shapes: Map<Role, List<Int>>, spec: ModelSpec) {
    val missing = spec.roles.find { it !in shapes }
    if (missing != null) {
        throw SamesightError(
            "model ${spec.name}: no output for the role '${missing.label}', which the spec's roles name",
        )
    }
    val logits = shapes.getValue(Role.LOGITS)
    if (spec.task == Task.CLASSIFICATION) {
        expect(Role.LOGITS, logits, listOf(1, spec.classCount), spec, "labels")
        return
    }
    val positions = if (logits.size == 3) logits[1] else 0
    val boxes = shapes.getValue(Role.BOXES)
    expect(Role.LOGITS, logits, listOf(1, positions, spec.classCount), spec, "labels or background")
    expect(Role.BOXES, boxes, listOf(1, positions, 4), spec, "roles")
    if (Role.OBJECTNESS in spec.roles) {
        expect(Role.OBJECTNESS, shapes.getValue(Role.OBJECTNESS), listOf(1, positions, 1), spec, "roles")
    }
    val strides = spec.detection?.boxes?.strides.orEmpty()
    if (strides.isNotEmpty()) {
        val expected = positionCount(strides, spec.input)
        expect(Role.BOXES, boxes, listOf(1, expected, 4), spec, "strides or input size")
    }
}

private fun expect(role: Role, found: List<Int>, expected: List<Int>, spec: ModelSpec, fields: String) {
    if (found != expected) {
        throw SamesightError(
            "model ${spec.name}: output '${role.label}' is $found, but the spec means $expected; " +
                "correct $fields in model.json",
        )
    }
}
