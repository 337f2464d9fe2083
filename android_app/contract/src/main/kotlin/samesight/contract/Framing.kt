package samesight.contract

/**
 * The integers of one framing, all in pixels: which part of an upright image the network sees, and at what size.
 *
 * The upright image of [sourceWidth] x [sourceHeight] is resized to [scaledWidth] x [scaledHeight], and its top left
 * corner comes to lie at ([left], [top]) of the input of [width] x [height]. A crop has left, top <= 0, a letterbox
 * >= 0; what the image does not cover has level [pad] in every channel.
 */
data class Frame(
    val sourceWidth: Int,
    val sourceHeight: Int,
    val scaledWidth: Int,
    val scaledHeight: Int,
    val left: Int,
    val top: Int,
    val width: Int,
    val height: Int,
    val pad: Int = 0,
) {
    /** The part of the scaled image that lies inside the input. */
    val window: Window
        get() {
            val right = minOf(scaledWidth, width - left)
            val bottom = minOf(scaledHeight, height - top)
            val x = maxOf(0, -left)
            val y = maxOf(0, -top)
            return Window(x, y, right - x, bottom - y)
        }

    /**
     * Boxes in input pixels as boxes in pixels of the upright image, clipped to it; float64, not rounded.
     *
     * @param boxes [K, 4] x1, y1, x2, y2.
     * @param count K; what follows in [boxes] is left alone.
     * @param into takes the result, of the size of [boxes].
     */
    fun toUpright(boxes: FloatArray, count: Int, into: DoubleArray) {
        for (i in 0 until 4 * count step 2) {
            into[i] = map(boxes[i], left, sourceWidth, scaledWidth)
            into[i + 1] = map(boxes[i + 1], top, sourceHeight, scaledHeight)
        }
    }

    private fun map(value: Float, offset: Int, source: Int, scaled: Int): Double {
        val mapped = (value.toDouble() - offset) * source / scaled
        // The first comparison also turns -0.0 into 0.0.
        val above = if (mapped > 0.0) mapped else 0.0
        return if (above < source) above else source.toDouble()
    }
}

/** The frame of an upright image of [width] x [height] pixels (1..65535 each) for the input [spec]. */
fun frame(width: Int, height: Int, spec: Input): Frame =
    when (val framing = spec.framing) {
        is Stretch -> Frame(width, height, spec.width, spec.height, 0, 0, spec.width, spec.height)
        is Crop -> crop(width, height, framing.resizeShorter, spec)
        is Letterbox -> letterbox(width, height, framing.pad, spec)
        is StretchCrop -> middle(width, height, framing.resizeWidth, framing.resizeHeight, spec)
    }

/** The shorter side given, the longer one in proportion, rounded down (torchvision's Resize); then the middle. */
private fun crop(width: Int, height: Int, shorter: Int, spec: Input): Frame {
    val scaledWidth = if (width <= height) shorter else shorter * width / height
    val scaledHeight = if (width <= height) shorter * height / width else shorter
    return middle(width, height, scaledWidth, scaledHeight, spec)
}

/** The middle of the image at the scaled size. */
private fun middle(width: Int, height: Int, scaledWidth: Int, scaledHeight: Int, spec: Input): Frame {
    val left = -offset(scaledWidth - spec.width)
    val top = -offset(scaledHeight - spec.height)
    return Frame(width, height, scaledWidth, scaledHeight, left, top, spec.width, spec.height)
}

/** Half of [excess], halves rounded to even: torchvision's CenterCrop, int(round(excess / 2.0)). */
private fun offset(excess: Int): Int = (excess + ((excess shr 1) and 1)) shr 1

/** The largest size of the same aspect that fits, halves rounded up, at least one pixel; centred. */
private fun letterbox(width: Int, height: Int, pad: Int, spec: Input): Frame {
    var scaledWidth = spec.width
    var scaledHeight = spec.height
    if (spec.width * height <= spec.height * width) {
        scaledHeight = ((2 * height * spec.width + width) / (2 * width)).coerceIn(1, spec.height)
    } else {
        scaledWidth = ((2 * width * spec.height + height) / (2 * height)).coerceIn(1, spec.width)
    }
    val left = (spec.width - scaledWidth) / 2
    val top = (spec.height - scaledHeight) / 2
    return Frame(width, height, scaledWidth, scaledHeight, left, top, spec.width, spec.height, pad)
}
