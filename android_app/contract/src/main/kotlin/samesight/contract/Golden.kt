package samesight.contract

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
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
        fields.required("cases") { list(most = GOLDEN_CASES) { fields("_Case", ::caseFields) } }
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
    fields.required("picture") { bundlePath() }
    return CaseFields(
        id = id,
        image = fields.required("image") { bundlePath() },
        width = fields.required("width") { int(1) },
        height = fields.required("height") { int(1) },
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
    ArrayFields(fields.required("path") { bundlePath() }, fields.required("shape") { list(most = 8) { int(1) } })

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

private fun readCase(bundle: File, case: CaseFields): GoldenCase =
    GoldenCase(
        id = case.id,
        picture = Picture(readPixels(bundle, case), case.width, case.height, case.orientation),
        yuv = case.yuv?.let { Yuv(it.layout, it.matrix, it.range, readYuv(bundle, it, case)) },
        tensor = readBytes(bundle, case.input),
        shape = case.input.shape,
        outputs = case.outputs.mapValues { (_, array) -> readFloats(bundle, array) },
        answers = case.answers,
    )

private fun readPixels(bundle: File, case: CaseFields): ByteArray {
    val file = File(bundle, case.image)
    return opened(file) {
        val header = ByteArray(RGB_HEADER)
        val sides = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN)
        val cut = length() < RGB_HEADER
        if (!cut) readFully(header)
        if (cut || sides.getInt(0) != case.width || sides.getInt(4) != case.height) {
            throw SamesightError("$file: its size is not that of $CASES; make the bundle anew")
        }
        readValues(file, this, 1, listOf(case.height, case.width, 3), RGB_HEADER)
    }
}

private fun readYuv(bundle: File, yuv: YuvFields, case: CaseFields): ByteArray {
    val chroma = (case.width + 1L) / 2 * ((case.height + 1L) / 2)
    val samples = case.width.toLong() * case.height + 2 * chroma
    val file = File(bundle, yuv.path)
    return opened(file) { readValues(file, this, 1, samples, "($samples,)") }
}

private fun readBytes(bundle: File, array: ArrayFields): ByteArray {
    val file = File(bundle, array.path)
    return opened(file) { readValues(file, this, 1, array.shape) }
}

private fun readFloats(bundle: File, array: ArrayFields): Tensor {
    val file = File(bundle, array.path)
    val data = opened(file) { readValues(file, this, 4, array.shape) }
    val values = FloatArray(data.size / 4)
    ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values)
    return Tensor(array.shape, values)
}

private fun <T> opened(file: File, read: RandomAccessFile.() -> T): T =
    try {
        RandomAccessFile(checkPlain(file), "r").use(read)
    } catch (error: IOException) {
        val reason = if (file.exists()) error.message else "No such file or directory"
        throw SamesightError("$file: $reason, but $CASES names it; make the bundle anew")
    }

/** As below, of an array of this shape. */
private fun readValues(file: File, from: RandomAccessFile, item: Int, shape: List<Int>, before: Int = 0): ByteArray {
    // No product passes the end of 64 bits: beyond the limit it does not matter by how much.
    val count = shape.fold(1L) { product, side -> if (product > GOLDEN_FILE_BYTES) product else product * side }
    val tuple = if (shape.size == 1) "(${shape[0]},)" else shape.joinToString(", ", "(", ")")
    return readValues(file, from, item, count, tuple, before)
}

/** The rest of a file after [before] bytes: [count] values; of a file of another length nothing is read. */
private fun readValues(
    file: File,
    from: RandomAccessFile,
    item: Int,
    count: Long,
    shape: String,
    before: Int = 0,
): ByteArray {
    val present = from.length() - before
    if (count > GOLDEN_FILE_BYTES || count * item != present || present + before > GOLDEN_FILE_BYTES) {
        throw SamesightError("$file: has ${present / item} values, $CASES says $shape; make the bundle anew")
    }
    return ByteArray(present.toInt()).also(from::readFully)
}
