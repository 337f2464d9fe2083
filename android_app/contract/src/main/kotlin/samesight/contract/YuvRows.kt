package samesight.contract

private const val ROUND = 1 shl 15

/**
 * The rows of a camera frame for a [Resizer], already RGB.
 *
 * The work is laid out for compilers: lookups first, which are scalar, then sums and limits over whole rows, which
 * become vector instructions. Two rows share the chroma part.
 */
internal class FrameRows : Rows {
    private val black = Plane(ByteArray(1), 1)
    private var frame = Yuv420(1, 1, black, black, black)
    private var first = 0
    private var columns = 0
    private var chromaRow = -1
    private var coefficients = IntArray(5)
    private val ofLuma = IntArray(256)
    private var luma = IntArray(0)
    private var red = IntArray(0)
    private var green = IntArray(0)
    private var blue = IntArray(0)

    /** Asks for [columns] columns from the even column [first] on of a frame that was checked. */
    fun begin(frame: Yuv420, matrix: Matrix, range: Range, first: Int, columns: Int) {
        this.frame = frame
        this.first = first
        this.columns = columns
        chromaRow = -1
        coefficients = toRgb(matrix, range)
        for (y in 0 until 256) ofLuma[y] = coefficients[0] * (y - range.black) + ROUND
        if (luma.size == columns) return
        luma = IntArray(columns)
        // Whole samples of two pixels each: perhaps one pixel more at the end.
        red = IntArray(columns + 1)
        green = IntArray(columns + 1)
        blue = IntArray(columns + 1)
    }

    override fun read(y: Int, row: IntArray) {
        if (chromaRow != y / 2) readChroma(y / 2)
        readLuma(y)
        write(row, 0, red)
        write(row, columns, green)
        write(row, 2 * columns, blue)
    }

    private fun write(row: IntArray, at: Int, chroma: IntArray) {
        val luma = luma
        for (x in luma.indices) row[at + x] = clamp((luma[x] + chroma[x]) shr 16)
    }

    private fun readLuma(y: Int) {
        val data = frame.y.data
        val step = frame.y.pixelStride
        val luma = luma
        val ofLuma = ofLuma
        val start = frame.y.offset + y * frame.y.rowStride + first * step
        if (step == 1) {
            for (x in luma.indices) luma[x] = ofLuma[data[start + x].toInt() and 255]
        } else {
            for (x in luma.indices) luma[x] = ofLuma[data[start + x * step].toInt() and 255]
        }
    }

    private fun readChroma(y: Int) {
        val u = frame.u
        val v = frame.v
        val uData = u.data
        val vData = v.data
        val uStep = u.pixelStride
        val vStep = v.pixelStride
        val sample = first / 2
        var atU = u.offset + y * u.rowStride + sample * uStep
        var atV = v.offset + y * v.rowStride + sample * vStep
        val (_, redV, greenU, greenV, blueU) = coefficients
        val red = red
        val green = green
        val blue = blue
        val count = (columns + 1) / 2
        for (i in 0 until count) {
            val e = (uData[atU].toInt() and 255) - 128
            val d = (vData[atV].toInt() and 255) - 128
            val ofRed = redV * d
            val ofGreen = -greenU * e - greenV * d
            val ofBlue = blueU * e
            red[2 * i] = ofRed
            red[2 * i + 1] = ofRed
            green[2 * i] = ofGreen
            green[2 * i + 1] = ofGreen
            blue[2 * i] = ofBlue
            blue[2 * i + 1] = ofBlue
            atU += uStep
            atV += vStep
        }
        chromaRow = y
    }
}
