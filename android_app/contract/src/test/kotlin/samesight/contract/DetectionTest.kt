package samesight.contract

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Two classes on an input of 32 x 32 with a grid of stride 4, and objectness. */
internal fun detector(activation: Activation, most: Int = 20): ModelSpec =
    ModelSpec(
        "finder",
        Task.DETECTION,
        input(32, 32),
        Outputs(
            listOf("l", "b", "o"),
            mapOf(Role.LOGITS to Slice("l"), Role.BOXES to Slice("b"), Role.OBJECTNESS to Slice("o")),
            activation,
        ),
        Detection(BoxCoding(Coding.DISTANCES, strides = listOf(4)), maxDetections = most),
        listOf("a", "b"),
    )

class DetectionTest {
    @Test
    fun `exp has the bits of the contract`() {
        val expected = mapOf(
            -0.001 to "3feff7cfe56f1a9e",
            -0.5 to "3fe368b2fc6f960a",
            -1.0 to "3fd78b56362cef38",
            -10.0 to "3f07cd79b5647c9a",
            -100.0 to "36ea8c1f14e2af5d",
            -699.5 to "00dc89c2e339b392",
        )
        for ((x, bits) in expected) assertEquals(bits, exp(x).toRawBits().toString(16).padStart(16, '0'))
        assertEquals(0.0, exp(-700.5))
        assertEquals(1.0, exp(0.0))
    }

    @Test
    fun `scores are between 0 and 1 and of softmax sum to 1`() {
        val generator = Generator(1)
        repeat(500) {
            val logits = FloatArray(1 + generator.below(20)) { (generator.below(20_001) - 10_000) / 100f }
            val scores = logits.indices.map { softmax(logits, 0, logits.size, it) }
            assertEquals(1.0, scores.sumOf { it.toDouble() }, 1e-5)
            for (logit in logits) assertEquals(1f, sigmoid(logit) + sigmoid(-logit), 1e-6f)
        }
    }

    @Test
    fun `classes are ranked by logit, equal ones by index`() {
        val generator = Generator(2)
        repeat(500) {
            val logits = FloatArray(1 + generator.below(12)) { (generator.below(7) - 3) * if (it % 2 == 0) 1f else -1f }
            val expected = logits.indices.sortedWith(compareBy({ -(logits[it] + 0f) }, { it }))
            for (top in 1..13) assertEquals(expected.take(top), rank(logits, top).toList())
        }
    }

    @Test
    fun `keys sort as values, greatest first, equal ones by position`() {
        val generator = Generator(3)
        repeat(300) {
            val values = FloatArray(1 + generator.below(60)) { Float.fromBits(generator.next().toInt()) }
            for (i in values.indices) {
                if (values[i].isNaN() || generator.below(4) == 0) values[i] = if (i % 2 == 0) 0f else -0f
            }
            val keys = LongArray(values.size + 5) { if (it < values.size) sortKey(values[it], it) else it.toLong() }
            val rest = keys.copyOfRange(values.size, keys.size)
            sort(keys, values.size)
            val expected = values.indices.sortedWith { a, b ->
                if (values[a] == values[b]) a - b else if (values[a] > values[b]) -1 else 1
            }
            assertEquals(expected, keys.take(values.size).map { it.toInt() })
            assertContentEquals(rest, keys.copyOfRange(values.size, keys.size))
        }
    }

    @Test
    fun `what stays does not overlap, and what goes overlaps something better`() {
        val generator = Generator(4)
        repeat(200) {
            val count = 1 + generator.below(80)
            val boxes = FloatArray(4 * count)
            for (i in 0 until count) {
                boxes[4 * i] = generator.below(40).toFloat()
                boxes[4 * i + 1] = generator.below(40).toFloat()
                boxes[4 * i + 2] = boxes[4 * i] + generator.below(30)
                boxes[4 * i + 3] = boxes[4 * i + 1] + generator.below(30)
            }
            val classes = IntArray(count) { generator.below(3) }
            val kept = IntArray(count)
            val size = suppress(boxes, classes, count, 0.4f, kept)
            val stays = kept.take(size)
            fun hides(a: Int, b: Int) = a < b && classes[a] == classes[b] && iou(boxes, 4 * a, 4 * b) > 0.4f
            for (index in 0 until count) assertEquals(index in stays, stays.none { hides(it, index) })
        }
    }

    @Test
    fun `boxes that are not finite are refused only where something is found`() {
        val spec = detector(Activation.SIGMOID)
        val positions = positionCount(BoxCoding(Coding.DISTANCES, strides = listOf(4)), spec.input)
        val logits = FloatArray(2 * positions) { -9f }
        val boxes = FloatArray(4 * positions) { 1f }
        val presence = FloatArray(positions) { 9f }
        boxes[4 * 3] = Float.NaN
        logits[2 * 5] = 9f
        fun outputs() = mapOf(
            Role.LOGITS to Tensor(listOf(1, positions, 2), logits),
            Role.BOXES to Tensor(listOf(1, positions, 4), boxes),
            Role.OBJECTNESS to Tensor(listOf(1, positions, 1), presence),
        )
        val geometry = geometry(64, 64, UPRIGHT, spec.input)
        assertEquals(listOf(0), answers(outputs(), spec, geometry).map { it.index })
        logits[2 * 3] = 9f
        val box = assertFailsWith<SamesightError> { answers(outputs(), spec, geometry) }
        assertTrue(box.message.startsWith("the box at position 3 is not finite"))
        logits[0] = Float.POSITIVE_INFINITY
        val logit = assertFailsWith<SamesightError> { answers(outputs(), spec, geometry) }
        assertTrue("output 'logits' holds values that are not finite" in logit.message)
        assertFailsWith<SamesightError> { answers(outputs() - Role.BOXES, spec, geometry) }
        logits[0] = 0f
        assertTrue("boxes need the geometry" in assertFailsWith<SamesightError> { answers(outputs(), spec) }.message)
    }
}
