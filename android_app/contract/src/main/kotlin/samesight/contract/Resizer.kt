package samesight.contract

/**
 * A line of [count] pixels as levels 0..255, or as sums of weighed ones.
 *
 * Each channel has an array of its own: compilers make vector instructions of loops over arrays from their start on,
 * and none of loops over parts of a longer array.
 */
internal class Line(val count: Int) {
    val red = IntArray(count)
    val green = IntArray(count)
    val blue = IntArray(count)
}

/** Gives the asked part of stored line [index], a row or a column. */
internal fun interface Lines {
    fun read(index: Int, line: Line)
}

/**
 * The two passes of `docs/contract.md`, "Resize", over the lines of a stored image, one by one, straight into the
 * tensor.
 *
 * Stands for Python's `upright`, `resize`, `resize_window` and `fill`: it computes what lies inside the input only,
 * turns the few scaled pixels instead of the many stored ones, and allocates nothing after construction. The lines are
 * columns of the upright image, which are columns or rows of the stored one: then the first pass, across, is sums of
 * whole lines, and only the second, of the few lines that are left, goes from pixel to pixel.
 *
 * @param frame of the upright image.
 * @param orientation of the stored image.
 * @param part of [parts], each of which makes its own rows of the tensor, such as on a thread of its own.
 */
internal class Resizer(
    private val frame: Frame,
    orientation: Orientation,
    filter: Filter,
    val channels: Channels,
    part: Int = 0,
    parts: Int = 1,
) {
    /** The tensor's byte of the first scaled pixel. */
    val origin: Int

    /** Whether the first line of the upright image is the last stored one. */
    val backwards: Boolean

    /** Of lines, which are columns of the upright image. */
    val across: Weights

    /** Of pixels of a line. */
    val down: Weights
    private val line: Line
    private val narrow: Line
    private val open: Array<Line>

    /** Whether the lines that are asked of [Lines] are columns of the stored image; else its rows. */
    val byColumns = !orientation.transposed

    /** The first pixel of a line that is asked for, an even one: there a camera frame's chroma samples begin. */
    val first: Int

    /** How many pixels of each line are asked for. */
    val length: Int

    init {
        val window = frame.window
        val top = window.top + part * window.height / parts
        val bottom = window.top + (part + 1) * window.height / parts
        origin = ((frame.top + top) * frame.width + frame.left + window.left) * channels.count
        val quarters = orientation.quarterTurns
        backwards = (quarters == 1 || quarters == 2) != orientation.mirrored
        across = weights(frame.sourceWidth, frame.scaledWidth, window.left, window.left + window.width, filter)
        val upright = weights(frame.sourceHeight, frame.scaledHeight, top, bottom, filter)
        down = if (quarters >= 2) upright.reversed(frame.sourceHeight) else upright
        first = down.starts.min() / 2 * 2
        length = down.stops.max() - first
        line = Line(length)
        narrow = Line(down.count)
        open = Array(mostOpen(across)) { Line(length) }
    }

    /** Reads all lines that matter and writes the covered part of [tensor], uint8 [H, W, C]. */
    fun run(lines: Lines, tensor: ByteArray) {
        var done = 0
        var opened = 0
        for (x in across.starts[0] until across.stops[across.count - 1]) {
            lines.read(if (backwards) frame.sourceWidth - 1 - x else x, line)
            while (opened < across.count && across.starts[opened] <= x) opened++
            for (i in done until opened) {
                val tap = across.taps[i * across.stride + x - across.starts[i]]
                val sums = open[i % open.size]
                if (x == across.starts[i]) begin(line, tap, sums) else add(line, tap, sums)
            }
            while (done < opened && across.stops[done] == x + 1) {
                finish(open[done % open.size])
                put(done, open[done % open.size], tensor)
                done++
            }
        }
    }

    private fun put(column: Int, finished: Line, tensor: ByteArray) {
        weighAlong(finished, down, first, narrow)
        toChannels(narrow, channels, tensor, origin + column * channels.count, frame.width * channels.count)
    }
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

private fun begin(input: Line, tap: Int, sums: Line) {
    begin(input.red, tap, sums.red)
    begin(input.green, tap, sums.green)
    begin(input.blue, tap, sums.blue)
}

private fun begin(input: IntArray, tap: Int, sums: IntArray) {
    for (i in sums.indices) sums[i] = HALF + input[i] * tap
}

private fun add(input: Line, tap: Int, sums: Line) {
    add(input.red, tap, sums.red)
    add(input.green, tap, sums.green)
    add(input.blue, tap, sums.blue)
}

private fun add(input: IntArray, tap: Int, sums: IntArray) {
    for (i in sums.indices) sums[i] += input[i] * tap
}

/** [value] limited to 0..255, for |value| < 2^24: without branches, which compilers make vector instructions of. */
internal fun clamp(value: Int): Int {
    val positive = value and (value shr 31).inv()
    return (positive or ((255 - positive) shr 31)) and 255
}

private fun finish(sums: Line) {
    finish(sums.red)
    finish(sums.green)
    finish(sums.blue)
}

private fun finish(sums: IntArray) {
    for (i in sums.indices) sums[i] = clamp(sums[i] shr PRECISION_BITS)
}

/** A [line] that begins at source pixel [first], scaled to [into]. */
private fun weighAlong(line: Line, weights: Weights, first: Int, into: Line) {
    val fromRed = line.red
    val fromGreen = line.green
    val fromBlue = line.blue
    val taps = weights.taps
    for (i in 0 until weights.count) {
        val start = weights.starts[i] - first
        val stop = weights.stops[i] - first
        val shift = i * weights.stride - start
        var red = HALF
        var green = HALF
        var blue = HALF
        for (k in start until stop) {
            val tap = taps[k + shift]
            red += fromRed[k] * tap
            green += fromGreen[k] * tap
            blue += fromBlue[k] * tap
        }
        into.red[i] = clamp(red shr PRECISION_BITS)
        into.green[i] = clamp(green shr PRECISION_BITS)
        into.blue[i] = clamp(blue shr PRECISION_BITS)
    }
}
