package samesight.benchmark

import nu.pattern.OpenCV
import org.opencv.core.Core
import org.opencv.core.CvType
import org.opencv.core.Mat
import org.opencv.core.MatOfFloat
import org.opencv.core.MatOfInt
import org.opencv.core.MatOfRect2d
import org.opencv.core.Rect
import org.opencv.core.Rect2d
import org.opencv.core.Scalar
import org.opencv.core.Size
import org.opencv.dnn.Dnn
import org.opencv.imgproc.Imgproc

/** Loads OpenCV's native library; one thread, as ours. Returns its version. */
internal fun loadOpenCv(): String {
    OpenCV.loadLocally()
    Core.setNumThreads(1)
    return Core.VERSION
}

/** cvtColor of the whole frame, INTER_AREA of the part that is seen, the turn of the small result. */
internal fun openCvPixels(nv21: ByteArray, job: PixelJob): () -> Unit {
    val yuv = Mat(HEIGHT * 3 / 2, WIDTH, CvType.CV_8UC1).also { it.put(0, 0, nv21) }
    val rgb = Mat(HEIGHT, WIDTH, CvType.CV_8UC3)
    val scaled = Mat()
    val upright = Mat()
    val input = Mat(job.side, job.side, CvType.CV_8UC3, Scalar(114.0, 114.0, 114.0))
    val part = Rect(job.left, job.top, job.right - job.left, job.bottom - job.top)
    val size = Size(job.scaledWidth.toDouble(), job.scaledHeight.toDouble())
    return {
        Imgproc.cvtColor(yuv, rgb, Imgproc.COLOR_YUV2RGB_NV21)
        Imgproc.resize(rgb.submat(part), scaled, size, 0.0, 0.0, Imgproc.INTER_AREA)
        if (job.quarterTurns == 1) Core.rotate(scaled, upright, Core.ROTATE_90_CLOCKWISE) else scaled.assignTo(upright)
        val left = (job.side - upright.cols()) / 2
        val top = (job.side - upright.rows()) / 2
        upright.copyTo(input.submat(Rect(left, top, upright.cols(), upright.rows())))
    }
}

/** OpenCV's suppression per class; gives how many boxes it keeps. */
internal fun openCvSuppression(boxes: FloatArray, scores: FloatArray, classes: IntArray): () -> Int {
    val rectangles =
        Array(scores.size) {
            val (x1, y1, x2, y2) = boxes.copyOfRange(4 * it, 4 * it + 4).map(Float::toDouble)
            Rect2d(x1, y1, x2 - x1, y2 - y1)
        }
    val all = MatOfRect2d(*rectangles)
    val scoreMat = MatOfFloat(*scores)
    val classMat = MatOfInt(*classes)
    val kept = MatOfInt()
    return {
        Dnn.NMSBoxesBatched(all, scoreMat, classMat, SCORE_THRESHOLD.toFloat(), IOU_THRESHOLD.toFloat(), kept)
        kept.rows()
    }
}
