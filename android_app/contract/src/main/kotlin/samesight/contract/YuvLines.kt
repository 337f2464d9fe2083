package samesight.contract

private const val ROUND = 1 shl 15
private val NOTHING = Plane(ByteArray(1), 1)

/**
 * The lines of a camera frame for a [Resizer], already RGB.
 *
 * The work is laid out for compilers: bytes become ints first, which is scalar, then whole lines are weighed, added and
 * limited, which become vector instructions. Two lines are read at a time: they share their chroma samples, and in
 * memory, where lines are columns, the place.
 */
internal class FrameLines : Lines {
    private var frame = Yuv420(1, 1, NOTHING, NOTHING, NOTHING)
    private var coefficients = IntArray(5)
    private var black = 0
    private var byColumns = false
    private var first = 0
    private var lines = 1
    private var pair = -1
    private var samples = IntArray(0)
    private var even = IntArray(0)
    private var odd = IntArray(0)
    private var red = IntArray(0)
    private var green = IntArray(0)
    private var blue = IntArray(0)

    /** Asks for columns or rows of a frame that was checked: [length] pixels each, from the even pixel [first] on. */
    fun begin(frame: Yuv420, matrix: Matrix, range: Range, byColumns: Boolean, first: Int, length: Int) {
        this.frame = frame
        this.byColumns = byColumns
        this.first = first
        coefficients = toRgb(matrix, range)
        black = range.black
        lines = if (byColumns) frame.width else frame.height
        pair = -1
        if (even.size == length) return
        samples = IntArray(length)
        even = IntArray(length)
        odd = IntArray(length)
        red = IntArray(length)
        green = IntArray(length)
        blue = IntArray(length)
    }

    override fun read(index: Int, line: Line) {
        if (pair != index / 2) readPair(index / 2)
        val luma = if (index % 2 == 0) even else odd
        write(luma, red, line.red)
        write(luma, green, line.green)
        write(luma, blue, line.blue)
    }

    private fun write(luma: IntArray, chroma: IntArray, levels: IntArray) {
        for (i in luma.indices) levels[i] = clamp((luma[i] + chroma[i]) shr 16)
    }

    private fun readPair(index: Int) {
        val (scale, redV, greenU, greenV, blueU) = coefficients
        readLuma(index)
        weigh(even, scale, ROUND - black * scale, even)
        weigh(odd, scale, ROUND - black * scale, odd)
        readPairs(frame.u, index)
        weigh(samples, blueU, -128 * blueU, blue)
        weigh(samples, -greenU, 128 * (greenU + greenV), green)
        readPairs(frame.v, index)
        weigh(samples, redV, -128 * redV, red)
        val samples = samples
        val green = green
        for (i in green.indices) green[i] -= greenV * samples[i]
        pair = index
    }

    private fun weigh(samples: IntArray, by: Int, offset: Int, into: IntArray) {
        for (i in into.indices) into[i] = samples[i] * by + offset
    }

    private fun readLuma(index: Int) {
        val data = frame.y.data
        val step = along(frame.y)
        var at = start(frame.y, 2 * index, first)
        // The last line may be without another.
        val other = if (2 * index + 1 < lines) start(frame.y, 1, 0) - start(frame.y, 0, 0) else 0
        val even = even
        val odd = odd
        for (i in even.indices) {
            even[i] = data[at].toInt() and 255
            odd[i] = data[at + other].toInt() and 255
            at += step
        }
    }

    /** Each sample is of two pixels, perhaps the last of one alone. */
    private fun readPairs(plane: Plane, index: Int) {
        val data = plane.data
        val step = along(plane)
        var at = start(plane, index, first / 2)
        val samples = samples
        for (i in 0 until samples.size / 2) {
            val sample = data[at].toInt() and 255
            samples[2 * i] = sample
            samples[2 * i + 1] = sample
            at += step
        }
        if (samples.size % 2 == 1) samples[samples.size - 1] = data[at].toInt() and 255
    }

    private fun along(plane: Plane) = if (byColumns) plane.rowStride else plane.pixelStride

    private fun start(plane: Plane, index: Int, sample: Int): Int {
        val between = if (byColumns) plane.pixelStride else plane.rowStride
        return plane.offset + index * between + sample * along(plane)
    }
}
