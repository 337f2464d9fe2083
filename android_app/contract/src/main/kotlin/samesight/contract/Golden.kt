package samesight.contract

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder

const val CASES = "golden/cases.json"
private const val RGB_HEADER = 8

/** Camera bytes that contract arithmetic turns into exactly the case's RGB image (tight rows). */
class Yuv(val layout: Layout, val matrix: Matrix, val range: Range, val data: ByteArray)

/**
 * One image and what the server model makes of it.
 *
 * @property id three digits.
 * @property picture the image as stored, and how it is turned upright.
 * @property yuv the same image as camera bytes, for some cases.
 * @property tensor uint8 [height, width, channels], the network's input before packing.
 * @property shape of [tensor].
 * @property outputs per role the server model's raw output, with the batch of 1.
 * @property answers the server model's answers; boxes in pixels of the stored image.
 */
class GoldenCase(
    val id: String,
    val picture: Picture,
    val yuv: Yuv?,
    val tensor: ByteArray,
    val shape: List<Int>,
    val outputs: Map<Role, Tensor>,
    val answers: List<Answer>,
)

/**
 * Reads all cases of a bundle whose files were checked against its manifest.
 *
 * @throws SamesightError cases.json contradicts itself or the files it names.
 */
fun readCases(bundle: File): List<GoldenCase> =
    readDocument("_Cases", File(bundle, CASES)) { fields ->
        fields.required("cases") { list { fields("_Case", ::caseFields) } }
    }.map { readCase(bundle, it) }

private class CaseFields(
    val id: String,
    val image: String,
    val width: Int,
    val height: Int,
    val orientation: Orientation,
    val yuv: YuvFields?,
    val input: ArrayFields,
    val outputs: Map<Role, ArrayFields>,
    val answers: List<Answer>,
)

private class ArrayFields(val path: String, val shape: List<Int>)

private class YuvFields(val path: String, val layout: Layout, val matrix: Matrix, val range: Range)

private fun caseFields(fields: Fields): CaseFields {
    val id = fields.required("id") { text() }
    fields.required("picture") { text() }
    return CaseFields(
        id = id,
        image = fields.required("image") { bundlePath() },
        width = fields.required("width") { int() },
        height = fields.required("height") { int() },
        orientation = orientation(fields),
        yuv = fields.nullable("yuv") { fields("_Yuv", ::yuvFields) },
        input = fields.required("input") { fields("_Array", ::arrayFields) },
        outputs = fields.required("outputs") { byRole { fields("_Array", ::arrayFields) } },
        answers = fields.required("answers") { list { fields("StoredAnswer", ::answerFields) } },
    )
}

private fun orientation(fields: Fields) =
    Orientation(fields.required("quarter_turns") { int(0, 3) }, fields.required("mirrored") { flag() })

private fun arrayFields(fields: Fields) =
    ArrayFields(fields.required("path") { bundlePath() }, fields.required("shape") { list { int() } })

private fun yuvFields(fields: Fields) =
    YuvFields(
        path = fields.required("path") { bundlePath() },
        layout = fields.required("layout") { choice(Layout.entries) },
        matrix = fields.required("matrix") { choice(Matrix.entries) },
        range = fields.required("range") { choice(Range.entries) },
    )

private fun answerFields(fields: Fields) =
    Answer(
        label = fields.required("label") { text() },
        index = fields.required("index") { int() },
        score = fields.required("score") { number() }.toFloat(),
        box = fields.nullable("box") { tuple(4) { number().toFloat() } }?.let { Box(it[0], it[1], it[2], it[3]) },
    )

private fun readCase(bundle: File, case: CaseFields): GoldenCase {
    val file = File(bundle, case.image)
    val image = bytes(file)
    val header = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN)
    if (image.size < RGB_HEADER || header.getInt(0) != case.width || header.getInt(4) != case.height) {
        throw SamesightError("$file: its size is not that of $CASES; make the bundle anew")
    }
    val pixels = image.copyOfRange(RGB_HEADER, image.size)
    checkSize(file, pixels.size, listOf(case.height, case.width, 3))
    val input = File(bundle, case.input.path)
    val tensor = bytes(input)
    checkSize(input, tensor.size, case.input.shape)
    return GoldenCase(
        id = case.id,
        picture = Picture(pixels, case.width, case.height, case.orientation),
        yuv = case.yuv?.let { Yuv(it.layout, it.matrix, it.range, bytes(File(bundle, it.path))) },
        tensor = tensor,
        shape = case.input.shape,
        outputs = case.outputs.mapValues { (_, array) -> readFloats(File(bundle, array.path), array.shape) },
        answers = case.answers,
    )
}

private fun readFloats(file: File, shape: List<Int>): Tensor {
    val data = ByteBuffer.wrap(bytes(file)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    val values = FloatArray(data.remaining())
    data.get(values)
    checkSize(file, values.size, shape)
    return Tensor(shape, values)
}

private fun bytes(file: File): ByteArray =
    try {
        file.readBytes()
    } catch (error: IOException) {
        throw SamesightError("$file: cannot be read (${error.message}); make the bundle anew")
    }

private fun checkSize(file: File, count: Int, shape: List<Int>) {
    if (shape.fold(1L) { product, side -> product * side } != count.toLong()) {
        val tuple = if (shape.size == 1) "(${shape[0]},)" else shape.joinToString(", ", "(", ")")
        throw SamesightError("$file: has $count values, $CASES says $tuple; make the bundle anew")
    }
}
