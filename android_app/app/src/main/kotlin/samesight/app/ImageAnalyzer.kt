package samesight.app

import samesight.contract.Answer
import samesight.contract.AnswerReader
import samesight.contract.Box
import samesight.contract.Geometry
import samesight.contract.Helpers
import samesight.contract.ModelSpec
import samesight.contract.Orientation
import samesight.contract.Picture
import samesight.contract.Preprocessor
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.yuv420ToRgb
import samesight.ui.Latency

private const val NANOS = 1e6f

/** Answers of one image, boxes in pixels of the upright one, and what they took. */
class Analysis(val answers: List<Answer>, val latency: Latency)

/** How many frames are on their way at once: one runs while the next is prepared. */
internal const val PLACES = 2

/**
 * One model's way from an image to answers.
 *
 * A frame goes in two steps, which may be of two threads: [prepare] into one of [PLACES] places, then [finish]. All else
 * is not for several threads at once.
 *
 * @param network such as [samesight.engine.ModelHolder.run].
 * @param clock nanoseconds.
 * @param helpers take parts of large images.
 */
class ImageAnalyzer(
    private val spec: ModelSpec,
    private val network: (ByteArray) -> Map<Role, Tensor>,
    private val clock: () -> Long,
    private val helpers: Helpers? = null,
) {
    private val places = List(PLACES) { Place() }
    private val still by lazy { Place() }
    @Volatile private var reader = AnswerReader(spec)

    /** The least score that is asked for; null: the spec's own. Of a task without one nothing changes. */
    var threshold: Float? = null
        set(value) {
            field = value
            val rule = spec.detection ?: return
            val asked = if (value == null) rule else rule.copy(scoreThreshold = value.toDouble())
            reader = AnswerReader(spec.copy(detection = asked))
        }

    /** @throws SamesightError the frame's planes are too short. */
    fun prepare(frame: CameraFrame, place: Int) = places[place].prepare(frame)

    /** What is in the place now. @throws SamesightError the network fails. */
    fun finish(place: Int): Analysis = places[place].finish()

    /** @throws SamesightError the frame's planes are too short, or the network fails. */
    fun analyze(frame: CameraFrame): Analysis {
        still.prepare(frame)
        return still.finish()
    }

    /** @throws SamesightError the network fails. */
    fun analyze(picture: Picture): Analysis {
        still.prepare { run(picture) }
        return still.finish()
    }

    private inner class Place {
        private val preprocessor = Preprocessor(spec.input, helpers)
        private var geometry: Geometry? = null
        private var took = 0L

        fun prepare(frame: CameraFrame) = prepare { run(frame.yuv, frame.matrix, frame.range, frame.orientation) }

        inline fun prepare(act: Preprocessor.() -> Geometry) {
            val start = clock()
            geometry = preprocessor.act()
            took = clock() - start
        }

        fun finish(): Analysis {
            val start = clock()
            val outputs = network(preprocessor.tensor)
            val ran = clock()
            val answers = reader.read(outputs, geometry, upright = true)
            val done = clock()
            return Analysis(answers, Latency(took / NANOS, (ran - start) / NANOS, (done - ran) / NANOS))
        }
    }
}

/** Width and height of the frame as people see it. */
internal val CameraFrame.uprightSides: Pair<Int, Int>
    get() = orientation.uprightWidth(yuv.width, yuv.height) to orientation.uprightHeight(yuv.width, yuv.height)

/** The frame as people see it, a mirror's image where they expect one. */
fun shown(frame: CameraFrame): Pixels {
    val (width, height) = frame.yuv.width to frame.yuv.height
    val rgb = yuv420ToRgb(frame.yuv, frame.matrix, frame.range)
    return upright(rgb, width, height, if (frame.mirror) mirrored(frame.orientation) else frame.orientation)
}

/**
 * The picture as people see it, with every n-th pixel of a large one: enough for a screen.
 *
 * @param most pixels of the longer side.
 */
fun shown(picture: Picture, most: Int = 1600): Pixels {
    val step = (maxOf(picture.width, picture.height) + most - 1) / most
    if (step == 1) return upright(picture.pixels, picture.width, picture.height, picture.orientation)
    val width = (picture.width + step - 1) / step
    val height = (picture.height + step - 1) / step
    val pixels = ByteArray(3 * width * height)
    for (y in 0 until height) {
        for (x in 0 until width) {
            val from = 3 * (y * step * picture.width + x * step)
            picture.pixels.copyInto(pixels, 3 * (y * width + x), from, from + 3)
        }
    }
    return upright(pixels, width, height, picture.orientation)
}

/** Answers of an image of [width] pixels as they lie in its mirror image. */
fun mirrored(answers: List<Answer>, width: Int): List<Answer> =
    answers.map { answer ->
        val box = answer.box?.let { Box(width - it.x2, it.y1, width - it.x1, it.y2) }
        answer.copy(box = box)
    }

private fun upright(rgb: ByteArray, width: Int, height: Int, orientation: Orientation) =
    Pixels(
        colours(orientation.upright(rgb, width, height)),
        orientation.uprightWidth(width, height),
        orientation.uprightHeight(width, height),
    )

private fun colours(rgb: ByteArray) =
    IntArray(rgb.size / 3) {
        val red = rgb[3 * it].toInt() and 255
        val green = rgb[3 * it + 1].toInt() and 255
        val blue = rgb[3 * it + 2].toInt() and 255
        (255 shl 24) or (red shl 16) or (green shl 8) or blue
    }
