package samesight.app

import android.graphics.ImageFormat
import android.graphics.Rect
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CaptureRequest
import android.os.Build
import android.view.SurfaceHolder
import kotlin.math.roundToInt
import samesight.contract.Orientation
import samesight.ui.Lens

private const val WIDTH = 640
private const val HEIGHT = 480

/** What every camera gives to a screen (`PREVIEW` in Camera2's tables), in the sides that it has. */
private const val MOST_PREVIEW = 1920 * 1080

/**
 * What there is to know of a camera before it is opened.
 *
 * @property width of its frames, and [height]; those of the preview have the same aspect, so that boxes fit both.
 * @property whole all pixels that the sensor gives, where zooming is cropping; null since Android 11 has a zoom itself.
 */
internal class SystemLens(
    val id: String,
    val sensor: Int,
    val front: Boolean,
    val width: Int,
    val height: Int,
    val previewWidth: Int = width,
    val previewHeight: Int = height,
    private val torch: Boolean = false,
    private val leastZoom: Float = 1f,
    private val mostZoom: Float = 1f,
    private val whole: Rect? = null,
) {
    /** What makes its frames upright. */
    fun orientation(display: Int): Orientation = cameraOrientation(sensor, display, front)

    /** For people; [both]: there is one on the other side. */
    fun described(both: Boolean, display: Int): Lens {
        val upright = orientation(display)
        val aspect = upright.uprightWidth(width, height).toFloat() / upright.uprightHeight(width, height)
        return Lens(both, torch, leastZoom, mostZoom, aspect)
    }

    fun zoom(request: CaptureRequest.Builder, zoom: Float) {
        val ratio = zoom.coerceIn(leastZoom, mostZoom)
        if (whole != null) request.set(CaptureRequest.SCALER_CROP_REGION, cropped(whole, ratio))
        else if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) request.set(CaptureRequest.CONTROL_ZOOM_RATIO, ratio)
    }

    fun light(request: CaptureRequest.Builder, torch: Boolean) {
        if (!this.torch) return
        val mode = if (torch) CaptureRequest.FLASH_MODE_TORCH else CaptureRequest.FLASH_MODE_OFF
        request.set(CaptureRequest.FLASH_MODE, mode)
    }
}

/** The camera as far as this app needs it; null for one without colour frames: depth sensors and the like. */
internal fun systemLens(id: String, camera: CameraCharacteristics): SystemLens? {
    val map = camera.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
    val sizes = map?.getOutputSizes(ImageFormat.YUV_420_888).orEmpty().map { it.width to it.height }
    if (sizes.isEmpty()) return null
    val (width, height) = nearest(sizes, WIDTH, HEIGHT)
    val shown = map?.getOutputSizes(SurfaceHolder::class.java).orEmpty().map { it.width to it.height }
    val preview = previewSize(shown, width, height)
    val (zooms, whole) = zooms(camera)
    return SystemLens(
        id,
        camera.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0,
        camera.get(CameraCharacteristics.LENS_FACING) == CameraCharacteristics.LENS_FACING_FRONT,
        width,
        height,
        preview.first,
        preview.second,
        camera.get(CameraCharacteristics.FLASH_INFO_AVAILABLE) == true,
        zooms.start,
        zooms.endInclusive,
        whole,
    )
}

private fun zooms(camera: CameraCharacteristics): Pair<ClosedFloatingPointRange<Float>, Rect?> {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
        camera.get(CameraCharacteristics.CONTROL_ZOOM_RATIO_RANGE)?.let { return it.lower..it.upper to null }
    }
    val whole = camera.get(CameraCharacteristics.SENSOR_INFO_ACTIVE_ARRAY_SIZE)
    val most = camera.get(CameraCharacteristics.SCALER_AVAILABLE_MAX_DIGITAL_ZOOM) ?: 1f
    return if (whole == null) 1f..1f to null else 1f..maxOf(1f, most) to whole
}

/** The middle of [whole] that fills the frame when it is enlarged [zoom] times. */
internal fun cropped(whole: Rect, zoom: Float): Rect {
    val width = (whole.width() / zoom).roundToInt()
    val height = (whole.height() / zoom).roundToInt()
    val left = whole.left + (whole.width() - width) / 2
    val top = whole.top + (whole.height() - height) / 2
    return Rect(left, top, left + width, top + height)
}

/** The largest of [sizes] with the aspect of [width] x [height] that a preview may have; else that itself. */
internal fun previewSize(sizes: List<Pair<Int, Int>>, width: Int, height: Int): Pair<Int, Int> =
    sizes.filter { it.first * height == it.second * width && it.first * it.second <= MOST_PREVIEW }
        .maxByOrNull { it.first * it.second } ?: (width to height)
