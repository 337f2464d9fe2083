package samesight.contract

/** How an artifact takes the input tensor. */
enum class TensorLayout { INT8_NHWC, FLOAT32_NHWC, FLOAT32_NCHW, BGRA8_NHWC }

/**
 * The input tensor uint8 [H, W, C] (C of 1 or 3) as the bytes of an artifact's input.
 *
 * INT8_NHWC: int8 [1, H, W, C], pixel - 128 (scale 1, zero point -128). BGRA8_NHWC: uint8 [1, H, W, 4], channels 2, 1,
 * 0 of the tensor (its only one three times, if grey), then 255.
 *
 * @param into takes the result, H * W * C bytes, or H * W * 4.
 */
fun pack(tensor: ByteArray, channels: Int, layout: TensorLayout, into: ByteArray) {
    if (layout == TensorLayout.INT8_NHWC) {
        for (i in tensor.indices) into[i] = (tensor[i].toInt() xor 128).toByte()
        return
    }
    require(layout == TensorLayout.BGRA8_NHWC) { "${layout.label} holds floats" }
    val last = channels - 1
    for (i in 0 until tensor.size / channels) {
        into[4 * i] = tensor[channels * i + last]
        into[4 * i + 1] = tensor[channels * i + last / 2]
        into[4 * i + 2] = tensor[channels * i]
        into[4 * i + 3] = -1
    }
}

/**
 * The input tensor uint8 [H, W, C] (C of 1 or 3) as the floats of an artifact's input, values 0..255.
 *
 * FLOAT32_NHWC: [1, H, W, C]. FLOAT32_NCHW: [1, C, H, W].
 *
 * @param into takes the result, H * W * C floats.
 */
fun pack(tensor: ByteArray, channels: Int, layout: TensorLayout, into: FloatArray) {
    if (layout == TensorLayout.FLOAT32_NHWC) {
        for (i in tensor.indices) into[i] = (tensor[i].toInt() and 255).toFloat()
        return
    }
    require(layout == TensorLayout.FLOAT32_NCHW) { "${layout.label} holds bytes" }
    val area = tensor.size / channels
    for (c in 0 until channels) {
        for (i in 0 until area) into[c * area + i] = (tensor[channels * i + c].toInt() and 255).toFloat()
    }
}

/**
 * Real values of a quantized tensor: float32(q - zeroPoint) * float32(scale).
 *
 * @param q int8, or uint8 where [signed] is false.
 * @param into takes the result, of the size of [q].
 */
fun dequantize(q: ByteArray, signed: Boolean, scale: Double, zeroPoint: Int, into: FloatArray) {
    val step = scale.toFloat()
    for (i in q.indices) {
        val value = if (signed) q[i].toInt() else q[i].toInt() and 255
        into[i] = (value - zeroPoint).toFloat() * step
    }
}
