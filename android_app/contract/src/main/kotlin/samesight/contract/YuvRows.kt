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
        for (x in 0 until columns) row[x] = Math.min(Math.max((luma[x] + chroma[x]) shr 16, 0), 255)
        for (x in 0 until columns) row[green + x] = Math.min(Math.max((luma[x] + chroma[green + x]) shr 16, 0), 255)
        for (x in 0 until columns) row[blue + x] = Math.min(Math.max((luma[x] + chroma[blue + x]) shr 16, 0), 255)
    }

    private fun readLuma(y: Int) {
        val data = frame.y.data
        val step = frame.y.pixelStride
        var at = frame.y.offset + y * frame.y.rowStride + first * step
        for (x in 0 until columns) {
            luma[x] = ofLuma[data[at].toInt() and 255]
            at += step
        }
    }

    private fun readChroma(y: Int) {
        val (_, redV, greenU, greenV, blueU) = coefficients
        var x = 0
        while (x < columns) {
            val sample = (first + x) / 2
            val e = sample(frame.u, sample, y) - 128
            val d = sample(frame.v, sample, y) - 128
            // A pixel of the same sample follows, unless this one is its second or the row ends.
            val last = if ((first + x) % 2 == 0 && x + 1 < columns) x + 1 else x
            while (x <= last) {
                chroma[x] = redV * d
                chroma[columns + x] = -greenU * e - greenV * d
                chroma[2 * columns + x] = blueU * e
                x++
            }
        }
        chromaRow = y
    }

    private fun sample(plane: Plane, x: Int, y: Int) =
        plane.data[plane.offset + y * plane.rowStride + x * plane.pixelStride].toInt() and 255
}
