package samesight.contract

/** JPEG's limit; keeps every integer of the framing within 31 bits. */
const val MAX_SIDE = 65_535

/**
 * An image as stored, 8-bit RGB, and how it is turned upright. Decoding files is the system's work.
 *
 * @property pixels RGB bytes [height, width, 3], sRGB.
 * @property width of the stored image, 1..65535.
 * @property height of the stored image, 1..65535.
 * @property orientation what makes it upright.
 */
class Picture(
    val pixels: ByteArray,
    val width: Int,
    val height: Int,
    val orientation: Orientation = UPRIGHT,
) {
    init {
        if (width !in 1..MAX_SIDE || height !in 1..MAX_SIDE) {
            throw SamesightError("a picture has sides of 1 to $MAX_SIDE pixels, not $width x $height")
        }
        if (pixels.size.toLong() != 3L * width * height) {
            throw SamesightError(
                "a picture of $width x $height has ${3L * width * height} bytes of RGB, not ${pixels.size}",
            )
        }
    }

    /** The pixels as a person sees them: RGB bytes [H', W', 3]. */
    fun upright(): ByteArray = orientation.upright(pixels, width, height)
}

/**
 * RGB bytes [H, W, 3] of pixels with alpha over a colour: (p * a + b * (255 - a) + 127) div 255, per channel.
 *
 * @param rgba bytes [H, W, 4], not premultiplied.
 * @param background RGB, each 0..255: the spec's `input.background`.
 */
fun over(rgba: ByteArray, background: IntArray): ByteArray {
    val result = ByteArray(rgba.size / 4 * 3)
    for (i in 0 until rgba.size / 4) {
        val alpha = rgba[4 * i + 3].toInt() and 255
        for (c in 0 until 3) {
            val level = rgba[4 * i + c].toInt() and 255
            result[3 * i + c] = ((level * alpha + background[c] * (255 - alpha) + 127) / 255).toByte()
        }
    }
    return result
}

/** The lines of a picture for a [Resizer]: columns of a large one cost half again what rows would. */
internal class PixelLines : Lines {
    private var pixels = ByteArray(3)
    private var first = 0
    private var along = 0
    private var between = 0

    /** Asks for columns or rows, from their pixel [first] on. */
    fun begin(picture: Picture, byColumns: Boolean, first: Int) {
        pixels = picture.pixels
        along = if (byColumns) 3 * picture.width else 3
        between = if (byColumns) 3 else 3 * picture.width
        this.first = first
    }

    override fun read(index: Int, line: Line) {
        var at = index * between + first * along
        for (i in 0 until line.count) {
            line.red[i] = pixels[at].toInt() and 255
            line.green[i] = pixels[at + 1].toInt() and 255
            line.blue[i] = pixels[at + 2].toInt() and 255
            at += along
        }
    }
}
