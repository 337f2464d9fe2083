package samesight.contract

/** A box in pixels of the stored image (or the upright one), float32. */
data class Box(val x1: Float, val y1: Float, val x2: Float, val y2: Float)

/**
 * One class or one found object.
 *
 * @property label the class's name.
 * @property index of [label] in the spec's labels.
 * @property box null for a task without boxes.
 */
data class Answer(val label: String, val index: Int, val score: Float, val box: Box? = null)

/**
 * The answers of one image, best first.
 *
 * @param outputs one per role: logits [1, C]; or logits [1, N, C], boxes [1, N, 4], objectness [1, N, 1].
 * @param geometry of the image, from `preprocess`; boxes are mapped back with it; without boxes none is needed.
 * @param upright boxes in pixels of the upright image (for drawing), not of the stored one.
 * @throws SamesightError the outputs contradict the spec or are not finite; or boxes without geometry.
 */
fun answers(
    outputs: Map<Role, Tensor>,
    spec: ModelSpec,
    geometry: Geometry? = null,
    upright: Boolean = false,
): List<Answer> = AnswerReader(spec).read(outputs, geometry, upright)

/** [answers] for one image after the other: makes nothing anew but what it gives. Not for several threads at once. */
class AnswerReader(private val spec: ModelSpec) {
    private val decoder = TASKS.getValue(spec.task).decoder(spec)

    /** As [answers]. */
    fun read(outputs: Map<Role, Tensor>, geometry: Geometry? = null, upright: Boolean = false): List<Answer> {
        checkOutputs(outputs, spec)
        if (Role.BOXES in spec.outputs.roles) required(geometry, spec)
        val decoded = decoder.decode(outputs)
        val boxes = decoded.boxes?.let { imageBoxes(it, required(geometry, spec), upright) }
        return decoded.indices.mapIndexed { place, index ->
            Answer(spec.labels[index], index, decoded.scores[place], boxes?.get(place))
        }
    }
}

private fun required(geometry: Geometry?, spec: ModelSpec): Geometry =
    geometry ?: throw SamesightError("model ${spec.name}: boxes need the geometry of the image that preprocess returns")

private fun imageBoxes(boxes: FloatArray, geometry: Geometry, upright: Boolean): List<Box> {
    val mapped = if (upright) geometry.toUpright(boxes) else geometry.toStored(boxes)
    return List(mapped.size / 4) { Box(mapped[4 * it], mapped[4 * it + 1], mapped[4 * it + 2], mapped[4 * it + 3]) }
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
    for (expected in TASKS.getValue(spec.task).expectedShapes(spec, shapes)) {
        val shape = shapes.getValue(expected.role)
        if (shape != expected.shape) {
            throw SamesightError(
                "model ${spec.name}: output '${expected.role.label}' is $shape, " +
                    "but the spec means ${expected.shape}; correct ${expected.fields} in model.json",
            )
        }
    }
}
