package samesight.contract

// Boxes in input pixels from raw boxes: distances from a grid, corners, middle and size, or deltas of anchors.

/** log(1000 / 16): an anchor grows by no more than this, as torchvision's BoxCoder has it. */
private const val MOST_GROWTH = 4.135166556742356

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
    val ofCell = coding.unit == BoxUnit.STRIDE || coding.unit == BoxUnit.ANCHOR
    val across = if (ofCell) grid[from + 2] else if (coding.unit == BoxUnit.FRACTION) input.width.toFloat() else 1f
    val down = if (ofCell) grid[from + 3] else if (coding.unit == BoxUnit.FRACTION) input.height.toFloat() else 1f
    val a = raw[from] * across
    val b = raw[from + 1] * down
    val c = raw[from + 2] * across
    val d = raw[from + 3] * down
    when (coding.coding) {
        Coding.DISTANCES -> {
            val x = grid[from]
            val y = grid[from + 1]
            put(into, at, x - positive(a), y - positive(b), x + positive(c), y + positive(d))
        }
        Coding.CORNERS -> put(into, at, a, b, if (c > a) c else a, if (d > b) d else b)
        Coding.CENTER_SIZE -> putAround(into, at, a, b, c, d)
        Coding.ANCHOR_DELTAS -> {
            val divisors = coding.divisors
            val width = grid[from + 2]
            val height = grid[from + 3]
            putAround(
                into,
                at,
                raw[from] / divisors[0].toFloat() * width + grid[from],
                raw[from + 1] / divisors[1].toFloat() * height + grid[from + 1],
                width * grown(raw[from + 2] / divisors[2].toFloat()),
                height * grown(raw[from + 3] / divisors[3].toFloat()),
            )
        }
    }
    for (i in 0 until 4) if (!raw[from + i].isFinite() || !into[at + i].isFinite()) return false
    return true
}

/** How many times an anchor's side a box has. */
private fun grown(logarithm: Float): Float {
    val wide = logarithm.toDouble()
    return exp(if (wide < MOST_GROWTH) wide else MOST_GROWTH).toFloat()
}

private fun putAround(boxes: FloatArray, at: Int, x: Float, y: Float, width: Float, height: Float) {
    val halfX = positive(width) * 0.5f
    val halfY = positive(height) * 0.5f
    put(boxes, at, x - halfX, y - halfY, x + halfX, y + halfY)
}

private fun put(boxes: FloatArray, at: Int, x1: Float, y1: Float, x2: Float, y2: Float) {
    boxes[at] = x1
    boxes[at + 1] = y1
    boxes[at + 2] = x2
    boxes[at + 3] = y2
}

/** A value above 0, and 0 in place of any other. */
internal fun positive(value: Float): Float = if (value > 0f) value else 0f

/**
 * Point x, point y, width and height of every position [N, 4], in input pixels.
 *
 * Grid by grid, each row by row; width and height are those of the cell for strides (and all is exact), and those of
 * the anchor for grids, in whose cells anchor follows anchor.
 */
fun gridPoints(coding: BoxCoding, input: Input): FloatArray {
    val result = FloatArray(4 * positionCount(coding, input))
    var at = 0
    for (stride in coding.strides) {
        for (row in 0 until input.height / stride) {
            for (column in 0 until input.width / stride) {
                put(result, at, (column + 0.5f) * stride, (row + 0.5f) * stride, stride.toFloat(), stride.toFloat())
                at += 4
            }
        }
    }
    for (grid in coding.grids) {
        val (stepX, stepY) = grid.step
        for (row in 0 until grid.rows) {
            for (column in 0 until grid.columns) {
                val x = ((column + grid.offset) * stepX).toFloat()
                val y = ((row + grid.offset) * stepY).toFloat()
                for ((width, height) in grid.anchors) {
                    put(result, at, x, y, width.toFloat(), height.toFloat())
                    at += 4
                }
            }
        }
    }
    return result
}

/** How many positions the grids of a coding have. */
fun positionCount(coding: BoxCoding, input: Input): Int =
    coding.strides.sumOf { (input.width / it) * (input.height / it) } +
        coding.grids.sumOf { it.columns * it.rows * it.anchors.size }
