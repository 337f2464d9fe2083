package samesight.contract

/**
 * What a task means to the contract; [TASKS] has one of these for each.
 *
 * @property task whose rules these are.
 * @property checkSpec compares a spec with the task; throws [IllegalArgumentException] with what contradicts it.
 * @property expectedShapes what the outputs should be, in the order in which they are compared; it is given what they are, with
 *     every role of the spec.
 * @property decoder reads outputs of those shapes, for one image after the other.
 */
class TaskRules(
    val task: Task,
    val checkSpec: (ModelSpec) -> Unit,
    val expectedShapes: (ModelSpec, Map<Role, List<Int>>) -> List<ExpectedShape>,
    val decoder: (ModelSpec) -> Decoder,
)

/** Reads one image's outputs after the other; may keep its buffers. Not for several threads at once. */
fun interface Decoder {
    /**
     * What the outputs say, best first.
     *
     * @throws SamesightError they are not finite.
     */
    fun decode(outputs: Map<Role, Tensor>): Decoded
}

/** The shape that the spec means for a role, and the [fields] of `model.json` that say so. */
class ExpectedShape(val role: Role, val shape: List<Int>, val fields: String)

/**
 * What the outputs of one image say, best first.
 *
 * @property indices into the spec's labels.
 * @property scores one of each index.
 * @property boxes [K, 4] x1, y1, x2, y2 in input pixels, one of each index; null for a task without boxes.
 */
class Decoded(val indices: IntArray, val scores: FloatArray, val boxes: FloatArray? = null)
