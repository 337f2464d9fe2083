package samesight.benchmark

import samesight.contract.Activation
import samesight.contract.BoxCoding
import samesight.contract.Coding
import samesight.contract.Crop
import samesight.contract.Detection
import samesight.contract.Detector
import samesight.contract.Framing
import samesight.contract.Generator
import samesight.contract.Helpers
import samesight.contract.Input
import samesight.contract.Layout
import samesight.contract.Letterbox
import samesight.contract.Matrix
import samesight.contract.ModelSpec
import samesight.contract.Orientation
import samesight.contract.Outputs
import samesight.contract.Preprocessor
import samesight.contract.Range
import samesight.contract.Role
import samesight.contract.Slice
import samesight.contract.Task
import samesight.contract.randomImage
import samesight.contract.rgbToYuv420
import samesight.contract.yuv420FromBytes

internal const val WIDTH = 1280
internal const val HEIGHT = 720
internal const val BOXES = 3000
internal const val SCORE_THRESHOLD = 0.1
internal const val IOU_THRESHOLD = 0.5
private const val OBJECTS = 150

/**
 * One way from a camera frame to an input of [side] x [side] pixels.
 *
 * @property left with [top], [right] and [bottom] the part of the stored frame that is seen.
 * @property scaledWidth with [scaledHeight] what that part is scaled to, before it is turned.
 */
internal class PixelJob(
    val name: String,
    val side: Int,
    val framing: Framing,
    val quarterTurns: Int,
    val left: Int,
    val top: Int,
    val right: Int,
    val bottom: Int,
    val scaledWidth: Int,
    val scaledHeight: Int,
)

internal val JOBS =
    listOf(
        PixelJob("letterbox 320", 320, Letterbox(), 0, 0, 0, WIDTH, HEIGHT, 320, 180),
        PixelJob("letterbox 320, held upright", 320, Letterbox(), 1, 0, 0, WIDTH, HEIGHT, 320, 180),
        // 224 of the 256 pixels to which the shorter side of 720 is scaled are 630 pixels of the frame.
        PixelJob("crop 256 to 224", 224, Crop(256), 0, 325, 45, 955, 675, 224, 224),
        PixelJob("crop 256 to 224, held upright", 224, Crop(256), 1, 325, 45, 955, 675, 224, 224),
    )

internal fun cameraFrame(): ByteArray =
    rgbToYuv420(randomImage(Generator(1), WIDTH, HEIGHT), WIDTH, HEIGHT, Layout.NV21)

private fun input(side: Int, framing: Framing) =
    Input(side, side, framing = framing, mean = List(3) { 0.0 }, std = List(3) { 1.0 })

/** The contract's way of the same job, in C where [native], on one thread more than there are [helpers]. */
internal fun ourPixels(nv21: ByteArray, job: PixelJob, native: Boolean, helpers: Helpers? = null): () -> Unit {
    val preprocessor = Preprocessor(input(job.side, job.framing), helpers, native)
    val frame = yuv420FromBytes(nv21, WIDTH, HEIGHT, Layout.NV21)
    val orientation = Orientation(job.quarterTurns)
    return { preprocessor.run(frame, Matrix.BT601, Range.VIDEO, orientation) }
}

/** Boxes around [OBJECTS] objects, [BOXES] in all: corners [K, 4], scores and classes. */
internal class Candidates(val boxes: FloatArray, val scores: FloatArray, val classes: IntArray)

internal fun candidates(): Candidates {
    val generator = Generator(2)
    val objects = List(OBJECTS) { List(4) { 20 + generator.below(500) } }
    val classes = IntArray(BOXES) { it % OBJECTS % 3 }
    val boxes = FloatArray(4 * BOXES)
    for (i in 0 until BOXES) {
        val (x, y, width, height) = objects[i % OBJECTS].map { it + generator.below(9) - 4f }
        floatArrayOf(x, y, x + width / 4, y + height / 4).copyInto(boxes, 4 * i)
    }
    return Candidates(boxes, FloatArray(BOXES) { 0.2f + generator.below(1 shl 20) / 2e6f }, classes)
}

/** Ranking, decoding and suppression of the contract; gives how many boxes it keeps. */
internal fun ourSuppression(candidates: Candidates): () -> Int {
    val names = listOf("a", "b", "c")
    val outputs =
        Outputs(
            listOf("l", "b"),
            mapOf(Role.LOGITS to Slice("l"), Role.BOXES to Slice("b")),
            Activation.NONE,
        )
    val rule = Detection(BoxCoding(Coding.CORNERS), null, SCORE_THRESHOLD, IOU_THRESHOLD, BOXES)
    val spec = ModelSpec("boxes", Task.DETECTION, input(640, Letterbox()), outputs, rule, names)
    val logits = FloatArray(names.size * BOXES)
    for (i in 0 until BOXES) logits[names.size * i + candidates.classes[i]] = candidates.scores[i]
    val detector = Detector(spec, BOXES)
    return { detector.run(logits, candidates.boxes, null).count }
}
