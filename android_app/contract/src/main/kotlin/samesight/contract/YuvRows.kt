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
    private var chroma = IntArray(0)

    /** Asks for [columns] columns from [first] on of a frame that was checked. */
    fun begin(frame: Yuv420, matrix: Matrix, range: Range, first: Int, columns: Int) {
        this.frame = frame
        this.first = first
        this.columns = columns
        chromaRow = -1
        coefficients = toRgb(matrix, range)
        for (y in 0 until 256) ofLuma[y] = coefficients[0] * (y - range.black) + ROUND
        if (luma.size != columns) {
            luma = IntArray(columns)
            chroma = IntArray(3 * columns)
        }
    }

    override fun read(y: Int, row: IntArray) {
        if (chromaRow != y / 2) readChroma(y / 2)
        readLuma(y)
        val luma = luma
        val chroma = chroma
        val green = columns
        val blue = 2 * columns
        for (x in 0 until columns) row[x] = clamp((luma[x] + chroma[x]) shr 16)
        for (x in 0 until columns) row[green + x] = clamp((luma[x] + chroma[green + x]) shr 16)
        for (x in 0 until columns) row[blue + x] = clamp((luma[x] + chroma[blue + x]) shr 16)
    }

    private fun readLuma(y: Int) {
        val data = frame.y.data
        val step = frame.y.pixelStride
        val luma = luma
        val ofLuma = ofLuma
        var at = frame.y.offset + y * frame.y.rowStride + first * step
        for (x in luma.indices) {
            luma[x] = ofLuma[data[at].toInt() and 255]
            at += step
        }
    }

    private fun readChroma(y: Int) {
        val u = frame.u
        val v = frame.v
        var atU = u.offset + y * u.rowStride + first / 2 * u.pixelStride
        var atV = v.offset + y * v.rowStride + first / 2 * v.pixelStride
        // A row that begins or ends within a sample's two pixels has that sample once.
        var x = -(first % 2)
        while (x < columns) {
            putChroma(x, (u.data[atU].toInt() and 255) - 128, (v.data[atV].toInt() and 255) - 128)
            atU += u.pixelStride
            atV += v.pixelStride
            x += 2
        }
        chromaRow = y
    }

    private fun putChroma(x: Int, e: Int, d: Int) {
        val red = coefficients[1] * d
        val green = -coefficients[2] * e - coefficients[3] * d
        val blue = coefficients[4] * e
        if (x >= 0) put(x, red, green, blue)
        if (x + 1 < columns) put(x + 1, red, green, blue)
    }

    private fun put(x: Int, red: Int, green: Int, blue: Int) {
        chroma[x] = red
        chroma[columns + x] = green
        chroma[2 * columns + x] = blue
    }
}
