package samesight.contract

/** How pixels of the input tensor relate to the picture: turns boxes back. */
data class Geometry(val frame: Frame, val orientation: Orientation) {
    /** Width of the stored image, in pixels. */
    val storedWidth: Int
        get() = orientation.uprightWidth(frame.sourceWidth, frame.sourceHeight)

    /** Height of the stored image, in pixels. */
    val storedHeight: Int
        get() = orientation.uprightHeight(frame.sourceWidth, frame.sourceHeight)

    /** Boxes [K, 4] in input pixels as float32 boxes in pixels of the upright image, clipped to it (for drawing). */
    fun toUpright(boxes: FloatArray): FloatArray = rounded(uprightBoxes(boxes))

    /** Boxes [K, 4] in input pixels as float32 boxes in pixels of the stored image, clipped to it. */
    fun toStored(boxes: FloatArray): FloatArray {
        val mapped = uprightBoxes(boxes)
        orientation.toStored(mapped, mapped.size / 4, storedWidth, storedHeight)
        return rounded(mapped)
    }

    private fun uprightBoxes(boxes: FloatArray): DoubleArray {
        val mapped = DoubleArray(boxes.size)
        frame.toUpright(boxes, boxes.size / 4, mapped)
        return mapped
    }

    private fun rounded(boxes: DoubleArray) = FloatArray(boxes.size) { boxes[it].toFloat() }
}

/** The geometry of a stored image of [width] x [height] pixels, without touching pixels. */
fun geometry(width: Int, height: Int, orientation: Orientation, spec: Input): Geometry {
    val frame = frame(orientation.uprightWidth(width, height), orientation.uprightHeight(width, height), spec)
    return Geometry(frame, orientation)
}

/**
 * The input tensor of a picture.
 *
 * @return uint8 [H, W, C] in 0..255 (C in the order of `spec.channels`); and the way back for boxes.
 */
fun preprocess(picture: Picture, spec: Input): Pair<ByteArray, Geometry> {
    val preprocessor = Preprocessor(spec)
    val geometry = preprocessor.run(picture)
    return preprocessor.tensor to geometry
}

/** Stored pixels from which on it pays to hand parts of an image to other threads. */
private const val WORTH_SHARING = 100_000

/**
 * [preprocess] for one image after the other, such as a camera's: allocates only when size or orientation change.
 *
 * Not for several threads at once.
 *
 * @param helpers take parts of large images; null: all is done on the thread that asks.
 * @param native camera frames are scaled in C, where the library is there; Kotlin gives the same bytes.
 * @property tensor uint8 [H, W, C], the input tensor of the last image; overwritten by the next.
 */
class Preprocessor(
    private val spec: Input,
    private val helpers: Helpers? = null,
    private val native: Boolean = nativeLoaded,
) {
    val tensor = ByteArray(spec.height * spec.width * spec.channels.count)
    private var width = 0
    private var height = 0
    private var geometry = Geometry(Frame(1, 1, 1, 1, 0, 0, 1, 1), UPRIGHT)
    private var parts = emptyArray<Part>()
    private var picture: Picture? = null
    private var frame: Yuv420? = null
    private var matrix = Matrix.BT601
    private var range = Range.VIDEO
    private val work: (Int) -> Unit = { run(parts[it]) }

    /** Fills [tensor] from a picture. */
    fun run(picture: Picture): Geometry {
        this.picture = picture
        return runAll(picture.width, picture.height, picture.orientation)
    }

    /**
     * Fills [tensor] from a camera frame: as `yuv420ToRgb`, then as of a picture.
     *
     * @throws SamesightError an empty frame, or a plane too short for its strides.
     */
    fun run(frame: Yuv420, matrix: Matrix, range: Range, orientation: Orientation): Geometry {
        frame.check()
        this.frame = frame
        this.matrix = matrix
        this.range = range
        return runAll(frame.width, frame.height, orientation)
    }

    private fun runAll(width: Int, height: Int, orientation: Orientation): Geometry {
        prepare(width, height, orientation)
        try {
            if (helpers != null && parts.size > 1) helpers.share(work) else work(0)
        } finally {
            // A large photo is not kept for the next.
            picture = null
            frame = null
        }
        return geometry
    }

    private fun run(part: Part) {
        val resizer = part.resizer
        val pixels = picture
        val yuv = frame
        if (pixels != null) {
            part.pixels.begin(pixels, resizer.byColumns, resizer.first)
            resizer.run(part.pixels, tensor)
        } else if (yuv != null && part.native != null) {
            part.native.run(yuv, matrix, range, tensor)
        } else if (yuv != null) {
            part.frame.begin(yuv, matrix, range, resizer.byColumns, resizer.first, resizer.length)
            resizer.run(part.frame, tensor)
        }
    }

    private fun prepare(width: Int, height: Int, orientation: Orientation) {
        if (width == this.width && height == this.height && orientation == geometry.orientation) return
        geometry = geometry(width, height, orientation, spec)
        val most = if (width * height >= WORTH_SHARING) 1 + (helpers?.count ?: 0) else 1
        // Each makes one row at least.
        val count = if (geometry.frame.window.height >= most) most else 1
        val row = spec.width * spec.channels.count
        parts = Array(count) {
            val resizer = Resizer(geometry.frame, orientation, spec.filter, spec.channels, it, count)
            Part(resizer, if (native) NativeResizer.of(resizer, row) else null)
        }
        // Grey of equal channels is their level, so the border needs no conversion.
        tensor.fill(geometry.frame.pad.toByte())
        this.width = width
        this.height = height
    }

    private class Part(val resizer: Resizer, val native: NativeResizer?) {
        val pixels = PixelLines()
        val frame = FrameLines()
    }
}

/**
 * Levels of RGB as bytes of a tensor; grey is Pillow's L: ITU-R 601-2 in 16-bit fixed point.
 *
 * @param into takes the bytes of pixel i from [first] + i * [step] on.
 */
internal fun toChannels(pixels: Line, channels: Channels, into: ByteArray, first: Int, step: Int) {
    var at = first
    for (i in 0 until pixels.count) {
        val red = pixels.red[i]
        val green = pixels.green[i]
        val blue = pixels.blue[i]
        if (channels == Channels.GREY) {
            into[at] = ((19595 * red + 38470 * green + 7471 * blue + 32768) shr 16).toByte()
        } else {
            into[at] = (if (channels == Channels.BGR) blue else red).toByte()
            into[at + 1] = green.toByte()
            into[at + 2] = (if (channels == Channels.BGR) red else blue).toByte()
        }
        at += step
    }
}
