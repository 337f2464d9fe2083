package samesight.contract

// EXIF 2.32, tag 274: the value is the place here plus one; quarter turns clockwise, then mirrored left to right.
private val EXIF =
    listOf(0 to false, 0 to true, 2 to false, 2 to true, 1 to true, 1 to false, 3 to true, 3 to false)

/** What makes a stored image upright: [quarterTurns] clockwise (0..3), then left-right [mirrored] or not. */
data class Orientation(val quarterTurns: Int = 0, val mirrored: Boolean = false) {
    init {
        if (quarterTurns !in 0..3) {
            throw SamesightError("an orientation has 0, 1, 2 or 3 quarter turns, not $quarterTurns")
        }
    }

    /** The EXIF value 1..8 of this orientation. */
    val exif: Int
        get() = EXIF.indexOf(quarterTurns to mirrored) + 1

    /** Whether the upright image has the stored one's rows as columns. */
    val transposed: Boolean
        get() = quarterTurns % 2 == 1

    /** Width of the upright image, from the sides of the stored one. */
    fun uprightWidth(width: Int, height: Int): Int = if (transposed) height else width

    /** Height of the upright image, from the sides of the stored one. */
    fun uprightHeight(width: Int, height: Int): Int = if (transposed) width else height

    /** The upright RGB bytes [H', W', 3] of stored ones [height, width, 3]. */
    fun upright(pixels: ByteArray, width: Int, height: Int): ByteArray {
        val across = uprightWidth(width, height)
        val result = ByteArray(pixels.size)
        var at = 0
        for (y in 0 until uprightHeight(width, height)) {
            for (column in 0 until across) {
                val x = if (mirrored) across - 1 - column else column
                val storedX = if (transposed) y else x
                val storedY = if (transposed) x else y
                // Of a quarter and a half turn x runs backwards, of a half and three quarters y does.
                val turnedX = if (quarterTurns >= 2) width - 1 - storedX else storedX
                val turnedY = if (quarterTurns == 1 || quarterTurns == 2) height - 1 - storedY else storedY
                pixels.copyInto(result, at, (turnedY * width + turnedX) * 3, (turnedY * width + turnedX) * 3 + 3)
                at += 3
            }
        }
        return result
    }

    /**
     * Boxes of the upright image as boxes of the stored one, in place.
     *
     * @param boxes [K, 4] x1, y1, x2, y2 in pixels of the upright image, x1 <= x2, y1 <= y2; afterwards in pixels of
     *     the stored image, again with x1 <= x2, y1 <= y2.
     * @param count K; what follows in [boxes] is left alone.
     * @param width of the stored image, in pixels.
     * @param height of the stored image, in pixels.
     */
    fun toStored(boxes: DoubleArray, count: Int, width: Int, height: Int) {
        val uprightWidth = uprightWidth(width, height).toDouble()
        for (i in 0 until 4 * count step 4) {
            val x1 = if (mirrored) uprightWidth - boxes[i + 2] else boxes[i]
            val x2 = if (mirrored) uprightWidth - boxes[i] else boxes[i + 2]
            val y1 = boxes[i + 1]
            val y2 = boxes[i + 3]
            when (quarterTurns) {
                0 -> put(boxes, i, x1, y1, x2, y2)
                1 -> put(boxes, i, y1, height - x2, y2, height - x1)
                2 -> put(boxes, i, width - x2, height - y2, width - x1, height - y1)
                else -> put(boxes, i, width - y2, x1, width - y1, x2)
            }
        }
    }

    private fun put(boxes: DoubleArray, at: Int, x1: Double, y1: Double, x2: Double, y2: Double) {
        boxes[at] = x1
        boxes[at + 1] = y1
        boxes[at + 2] = x2
        boxes[at + 3] = y2
    }
}

/** Stored as seen. */
val UPRIGHT = Orientation()

/** The orientation of an EXIF value; anything but 1..8 counts as 1, upright, as in every viewer. */
fun fromExif(value: Int?): Orientation {
    val (turns, mirrored) = EXIF.getOrNull((value ?: 1) - 1) ?: return UPRIGHT
    return Orientation(turns, mirrored)
}

/**
 * The orientation of a camera frame.
 *
 * @param degrees 0, 90, 180 or 270: the clockwise turn that makes the frame upright (CameraX's `rotationDegrees`).
 * @param mirrored whether the upright image is then mirrored left to right (a front camera's preview).
 */
fun fromRotation(degrees: Int, mirrored: Boolean = false): Orientation {
    if (degrees !in intArrayOf(0, 90, 180, 270)) {
        throw SamesightError("a rotation is 0, 90, 180 or 270 degrees, not $degrees")
    }
    return Orientation(degrees / 90, mirrored)
}
