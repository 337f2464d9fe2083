package samesight.contract

/** Gives stored row `y` as levels 0..255: red of the asked columns, then green, then blue. */
internal fun interface Rows {
    fun read(y: Int, row: IntArray)
}

/**
 * The two passes of `docs/contract.md`, "Resize", over the rows of a stored image, one by one, straight into the
 * tensor.
 *
 * Stands for Python's `upright`, `resize`, `resize_window` and `fill`: it computes what lies inside the input only,
 * turns the few scaled pixels instead of the many stored ones, and allocates nothing after construction. Turning may
 * come last because a turned image's first pass, across, is the stored image's pass over rows or columns, with the
 * weights turned round where it runs backwards.
 *
 * @param frame of the upright image.
 * @param orientation of the stored image.
 */
internal class Resizer(frame: Frame, orientation: Orientation, filter: Filter, private val channels: Channels) {
    private val transposed = orientation.transposed
    private val storedHeight = if (transposed) frame.sourceWidth else frame.sourceHeight
    private val backwards: Boolean
    private val byRow: Weights
    private val byColumn: Weights
    private val placement: Placement

    /** The stored columns that are asked of [Rows]; an even one first, where a camera frame's chroma samples begin. */
    val firstColumn: Int
    val columns: Int

    private val line: IntArray
    private val narrow: IntArray
    private val open: Array<IntArray>

    init {
        val window = frame.window
        val across = weights(frame.sourceWidth, frame.scaledWidth, window.left, window.left + window.width, filter)
        val down = weights(frame.sourceHeight, frame.scaledHeight, window.top, window.top + window.height, filter)
        val quarters = orientation.quarterTurns
        val acrossBackwards = (quarters == 1 || quarters == 2) != orientation.mirrored
        val downBackwards = quarters >= 2
        backwards = if (transposed) acrossBackwards else downBackwards
        byRow = if (transposed) across else down
        val upright = if (transposed) down else across
        val storedWidth = if (transposed) frame.sourceHeight else frame.sourceWidth
        val columnsBackwards = if (transposed) downBackwards else acrossBackwards
        byColumn = if (columnsBackwards) upright.reversed(storedWidth) else upright
        firstColumn = byColumn.starts.min() / 2 * 2
        columns = byColumn.stops.max() - firstColumn
        placement = placement(frame, window, channels.count, transposed)
        line = IntArray(3 * columns)
        narrow = IntArray(3 * byColumn.count)
        open = Array(mostOpen(byRow)) { IntArray(if (transposed) line.size else narrow.size) }
    }

    /** Reads all rows that matter and writes the covered part of [tensor], uint8 [H, W, C]. */
    fun run(rows: Rows, tensor: ByteArray) {
        var done = 0
        var opened = 0
        for (y in byRow.starts[0] until byRow.stops[byRow.count - 1]) {
            rows.read(if (backwards) storedHeight - 1 - y else y, line)
            val input = if (transposed) line else narrow
            if (!transposed) weighColumns(line, columns, byColumn, firstColumn, narrow)
            while (opened < byRow.count && byRow.starts[opened] <= y) opened++
            for (i in done until opened) {
                val tap = byRow.taps[i * byRow.stride + y - byRow.starts[i]]
                val sums = open[i % open.size]
                if (y == byRow.starts[i]) begin(input, tap, sums) else add(input, tap, sums)
            }
            while (done < opened && byRow.stops[done] == y + 1) {
                finish(open[done % open.size])
                put(done, open[done % open.size], tensor)
                done++
            }
        }
    }

    private fun put(index: Int, finished: IntArray, tensor: ByteArray) {
        if (transposed) weighColumns(finished, columns, byColumn, firstColumn, narrow)
        val pixels = if (transposed) narrow else finished
        val first = placement.origin + index * placement.betweenLines
        toChannels(pixels, byColumn.count, channels, tensor, first, placement.betweenPixels)
    }
}

/** Where in the tensor finished pixels go, in bytes. */
private class Placement(val origin: Int, val betweenLines: Int, val betweenPixels: Int)

private fun placement(frame: Frame, window: Window, channels: Int, transposed: Boolean): Placement {
    val origin = ((frame.top + window.top) * frame.width + frame.left + window.left) * channels
    val row = frame.width * channels
    return if (transposed) Placement(origin, channels, row) else Placement(origin, row, channels)
}

/** How many scaled pixels at most are made of the same source pixel, so that their sums are open at once. */
private fun mostOpen(weights: Weights): Int {
    var most = 0
    var done = 0
    for (opened in 0 until weights.count) {
        while (weights.stops[done] <= weights.starts[opened]) done++
        most = maxOf(most, opened - done + 1)
    }
    return most
}

private fun begin(input: IntArray, tap: Int, sums: IntArray) {
    for (i in sums.indices) sums[i] = HALF + input[i] * tap
}

private fun add(input: IntArray, tap: Int, sums: IntArray) {
    for (i in sums.indices) sums[i] += input[i] * tap
}

/** [value] limited to 0..255, for |value| < 2^24: without branches, which compilers make vector instructions of. */
internal fun clamp(value: Int): Int {
    val positive = value and (value shr 31).inv()
    return (positive or ((255 - positive) shr 31)) and 255
}

private fun finish(sums: IntArray) {
    for (i in sums.indices) sums[i] = clamp(sums[i] shr PRECISION_BITS)
}

/** One line of three planes of [columns] levels each, which begins at source pixel [first], scaled to [into]. */
private fun weighColumns(line: IntArray, columns: Int, weights: Weights, first: Int, into: IntArray) {
    val count = weights.count
    for (i in 0 until count) {
        val start = weights.starts[i] - first
        val length = weights.stops[i] - weights.starts[i]
        val taps = i * weights.stride
        var red = HALF
        var green = HALF
        var blue = HALF
        for (t in 0 until length) {
            val tap = weights.taps[taps + t]
            red += line[start + t] * tap
            green += line[start + t + columns] * tap
            blue += line[start + t + 2 * columns] * tap
        }
        into[i] = clamp(red shr PRECISION_BITS)
        into[count + i] = clamp(green shr PRECISION_BITS)
        into[2 * count + i] = clamp(blue shr PRECISION_BITS)
    }
}
