package samesight.contract

/** The standard whose coefficients a camera's YUV has. */
enum class Matrix { BT601, BT709 }

/** Whether black is 16 and white 235 (video), or 0 and 255 (full). */
enum class Range(internal val black: Int) { VIDEO(16), FULL(0) }

/** A frame in one buffer without padding: y, then u and v; or u and v in turn; or v and u in turn. */
enum class Layout { I420, NV12, NV21 }

private const val ROUND = 1 shl 15

/** Coefficients times 65536, rounded to nearest: y, red from v, green from u, green from v, blue from u. */
internal fun toRgb(matrix: Matrix, range: Range): IntArray = TO_RGB[2 * matrix.ordinal + range.ordinal]

// ITU-R BT.601-7 and BT.709-6, by matrix, then range.
private val TO_RGB =
    arrayOf(
        intArrayOf(76309, 104597, 25675, 53279, 132201),
        intArrayOf(65536, 91881, 22553, 46802, 116130),
        intArrayOf(76309, 117489, 13975, 34925, 138438),
        intArrayOf(65536, 103206, 12276, 30679, 121609),
    )

// The shares of red, green and blue in y, in u and in v; the green one takes the rounding so that grey stays neutral.
private val TO_YUV =
    arrayOf(
        intArrayOf(16829, 33039, 6416, -9714, -19070, 28784, 28784, -24103, -4681),
        intArrayOf(19595, 38470, 7471, -11058, -21710, 32768, 32768, -27439, -5329),
        intArrayOf(11966, 40254, 4064, -6596, -22188, 28784, 28784, -26145, -2639),
        intArrayOf(13933, 46871, 4732, -7509, -25259, 32768, 32768, -29763, -3005),
    )

/** One plane of a frame: sample (x, y) is byte [offset] + y * [rowStride] + x * [pixelStride] of [data]. */
class Plane(val data: ByteArray, val rowStride: Int, val pixelStride: Int = 1, val offset: Int = 0)

/**
 * A frame of [width] x [height] pixels: [y] at full size, [u] (Cb) and [v] (Cr) at half of it, halves rounded up.
 *
 * The last row of a plane may end with its last sample (Android leaves the padding out).
 */
class Yuv420(val width: Int, val height: Int, val y: Plane, val u: Plane, val v: Plane) {
    /** @throws SamesightError the frame is empty, or a plane too short for its strides. */
    fun check() {
        if (width < 1 || height < 1) {
            throw SamesightError("a frame has sides of at least 1 pixel, not $width x $height")
        }
        check(y, width, height, "y")
        check(u, chromaSize(width), chromaSize(height), "u")
        check(v, chromaSize(width), chromaSize(height), "v")
    }

    private fun check(plane: Plane, width: Int, height: Int, name: String) {
        val row = (width - 1L) * plane.pixelStride + 1
        if (plane.pixelStride < 1 || plane.rowStride < row) {
            throw SamesightError(
                "plane $name: a row of $width samples does not fit row stride ${plane.rowStride} " +
                    "with pixel stride ${plane.pixelStride}",
            )
        }
        val length = plane.data.size - plane.offset
        val needed = (height - 1L) * plane.rowStride + row
        if (length < needed) {
            throw SamesightError(
                "plane $name: $length bytes, but $width x $height samples with row stride ${plane.rowStride} " +
                    "and pixel stride ${plane.pixelStride} need $needed",
            )
        }
    }
}

/** Width of u and v of a frame of that width; likewise height. */
fun chromaSize(side: Int): Int = (side + 1) / 2

/**
 * A frame in one buffer without padding.
 *
 * @throws SamesightError the buffer has another length than width * height + 2 * chroma width * chroma height.
 */
fun yuv420FromBytes(data: ByteArray, width: Int, height: Int, layout: Layout): Yuv420 {
    val across = chromaSize(width)
    val luma = width * height
    val chroma = across * chromaSize(height)
    if (data.size != luma + 2 * chroma) {
        throw SamesightError(
            "a ${layout.label} frame of $width x $height has ${luma + 2 * chroma} bytes, this one ${data.size}; " +
                "check its size",
        )
    }
    val y = Plane(data, width)
    if (layout == Layout.I420) {
        return Yuv420(width, height, y, Plane(data, across, 1, luma), Plane(data, across, 1, luma + chroma))
    }
    val first = Plane(data, 2 * across, 2, luma)
    val second = Plane(data, 2 * across, 2, luma + 1)
    if (layout == Layout.NV12) return Yuv420(width, height, y, first, second)
    return Yuv420(width, height, y, second, first)
}

/**
 * The frame as RGB bytes [H, W, 3]; a pixel takes the nearest chroma sample (x div 2, y div 2).
 *
 * @throws SamesightError an empty frame, or a plane too short for its strides.
 */
fun yuv420ToRgb(frame: Yuv420, matrix: Matrix = Matrix.BT601, range: Range = Range.VIDEO): ByteArray {
    frame.check()
    val rows = FrameLines()
    rows.begin(frame, matrix, range, byColumns = false, first = 0, length = frame.width)
    val row = Line(frame.width)
    val result = ByteArray(3 * frame.width * frame.height)
    for (y in 0 until frame.height) {
        rows.read(y, row)
        toChannels(row, Channels.RGB, result, 3 * frame.width * y, 3)
    }
    return result
}

/**
 * RGB bytes [H, W, 3] as one buffer without padding: test frames.
 *
 * Chroma comes from the mean of each 2 x 2 block, (sum + 2) div 4; odd sides repeat their last column and row.
 */
fun rgbToYuv420(
    pixels: ByteArray,
    width: Int,
    height: Int,
    layout: Layout,
    matrix: Matrix = Matrix.BT601,
    range: Range = Range.VIDEO,
): ByteArray {
    val shares = TO_YUV[2 * matrix.ordinal + range.ordinal]
    val across = chromaSize(width)
    val chroma = across * chromaSize(height)
    val result = ByteArray(width * height + 2 * chroma)
    for (i in 0 until width * height) {
        result[i] = weighted(level(pixels, i, 0), level(pixels, i, 1), level(pixels, i, 2), shares, 0, range.black)
    }
    val step = if (layout == Layout.I420) 1 else 2
    val u = width * height + if (layout == Layout.NV21) 1 else 0
    val v = width * height + if (layout == Layout.I420) chroma else if (layout == Layout.NV12) 1 else 0
    val mean = IntArray(3)
    for (i in 0 until chroma) {
        for (c in 0 until 3) mean[c] = blockMean(pixels, width, height, i % across, i / across, c)
        result[u + step * i] = weighted(mean[0], mean[1], mean[2], shares, 3, 128)
        result[v + step * i] = weighted(mean[0], mean[1], mean[2], shares, 6, 128)
    }
    return result
}

private fun level(pixels: ByteArray, pixel: Int, channel: Int) = pixels[3 * pixel + channel].toInt() and 255

private fun blockMean(pixels: ByteArray, width: Int, height: Int, x: Int, y: Int, channel: Int): Int {
    val left = 2 * x
    val right = minOf(left + 1, width - 1)
    val upper = 2 * y * width
    val lower = minOf(2 * y + 1, height - 1) * width
    val above = level(pixels, upper + left, channel) + level(pixels, upper + right, channel)
    return (above + level(pixels, lower + left, channel) + level(pixels, lower + right, channel) + 2) shr 2
}

private fun weighted(red: Int, green: Int, blue: Int, shares: IntArray, first: Int, offset: Int): Byte {
    val total = (shares[first] * red + shares[first + 1] * green + shares[first + 2] * blue + ROUND) shr 16
    return (total + offset).coerceIn(0, 255).toByte()
}
