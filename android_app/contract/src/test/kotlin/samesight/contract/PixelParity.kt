package samesight.contract

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.ConcurrentHashMap
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonPrimitive

/** A stored image that consecutive cases share, and what is made of it. */
private class Source(val picture: ByteArray, val frame: Yuv420?, val bytes: ByteArray?)

internal fun pixelParity(cases: List<JsonObject>) {
    val lines = ConcurrentHashMap<Int, String>()
    val groups = cases.withIndex().groupBy { it.value.text("seed") }.values
    groups.parallelStream().forEach { group ->
        val source = source(group[0].value)
        for ((index, case) in group) lines[index] = sentenceOr { pixels(case, source) }
    }
    for (index in cases.indices) println(lines[index])
}

private fun source(case: JsonObject): Source {
    val generator = case.seed()
    val width = case.int("width")
    val height = case.int("height")
    val image = randomImage(generator, width, height)
    return when (case.text("kind")) {
        "rgb" -> Source(image, null, null)
        "planes" -> Source(image, planes(generator, image, width, height, case.getValue("planes") as JsonArray), null)
        else -> {
            val layout = Layout.valueOf(case.text("kind").uppercase())
            val bytes = rgbToYuv420(image, width, height, layout, case.matrix(), case.range())
            Source(image, yuv420FromBytes(bytes, width, height, layout), bytes)
        }
    }
}

private fun JsonObject.matrix() = Matrix.valueOf(text("matrix").uppercase())

private fun JsonObject.range() = Range.valueOf(text("range").uppercase())

/** Luma is the image's red; u and v are green and blue of a second, smaller image; each with its own strides. */
private fun planes(generator: Generator, image: ByteArray, width: Int, height: Int, strides: JsonArray): Yuv420 {
    val across = chromaSize(width)
    val chroma = randomImage(generator, across, chromaSize(height))
    fun plane(pixels: ByteArray, columns: Int, channel: Int): Plane {
        val (row, step) = (strides[channel] as JsonArray).map { it.jsonPrimitive.int }
        val count = pixels.size / 3
        val data = ByteArray((count / columns - 1) * row + (columns - 1) * step + 1)
        for (i in 0 until count) data[i / columns * row + i % columns * step] = pixels[3 * i + channel]
        return Plane(data, row, step)
    }
    return Yuv420(width, height, plane(image, width, 0), plane(chroma, across, 1), plane(chroma, across, 2))
}

/** Frame, hash of the tensor, hash of the packed tensor, and hash of the camera bytes. */
private fun pixels(case: JsonObject, source: Source): String {
    val input = case.spec().input
    val preprocessor = Preprocessor(input)
    val geometry =
        if (source.frame == null) {
            preprocessor.run(Picture(source.picture, case.int("width"), case.int("height"), case.orientation()))
        } else {
            preprocessor.run(source.frame, case.matrix(), case.range(), case.orientation())
        }
    val frame = geometry.frame
    val layout = TensorLayout.valueOf(case.text("input_layout").uppercase())
    return listOf(
        frame.scaledWidth,
        frame.scaledHeight,
        frame.left,
        frame.top,
        sha256(preprocessor.tensor),
        sha256(packed(preprocessor.tensor, input.channels.count, layout)),
        source.bytes?.let(::sha256) ?: "-",
    ).joinToString(" ")
}

private fun packed(tensor: ByteArray, channels: Int, layout: TensorLayout): ByteArray {
    if (layout == TensorLayout.INT8_NHWC || layout == TensorLayout.BGRA8_NHWC) {
        val bytes = ByteArray(if (layout == TensorLayout.INT8_NHWC) tensor.size else tensor.size / channels * 4)
        pack(tensor, channels, layout, bytes)
        return bytes
    }
    val floats = FloatArray(tensor.size)
    pack(tensor, channels, layout, floats)
    val bytes = ByteBuffer.allocate(4 * floats.size).order(ByteOrder.LITTLE_ENDIAN)
    bytes.asFloatBuffer().put(floats)
    return bytes.array()
}
