package samesight.contract

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue

internal fun input(
    width: Int,
    height: Int,
    framing: Framing = Stretch,
    filter: Filter = Filter.BILINEAR,
    channels: Channels = Channels.RGB,
) = Input(
    width,
    height,
    channels,
    framing,
    filter,
    mean = List(channels.count) { 0.5 },
    std = List(channels.count) { 0.5 },
)

/** The whole way with whole images: upright, resized, framed, then channels. */
private fun tensorByTheText(picture: Picture, input: Input): ByteArray {
    val (frame, orientation) = geometry(picture.width, picture.height, picture.orientation, input)
    val upright = Plain(
        picture.upright(),
        orientation.uprightWidth(picture.width, picture.height),
        orientation.uprightHeight(picture.width, picture.height),
    )
    val scaled = resizeByTheText(upright, frame.scaledWidth, frame.scaledHeight, input.filter)
    val tensor = ByteArray(input.width * input.height * input.channels.count)
    for (y in 0 until input.height) for (x in 0 until input.width) {
        val inside = x - frame.left in 0 until scaled.width && y - frame.top in 0 until scaled.height
        val at = 3 * ((y - frame.top) * scaled.width + x - frame.left)
        val rgb = IntArray(3) { if (inside) scaled.pixels[at + it].toInt() and 255 else frame.pad }
        val channels =
            when (input.channels) {
                Channels.RGB -> rgb
                Channels.BGR -> rgb.reversedArray()
                Channels.GREY -> intArrayOf((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) shr 16)
            }
        for ((c, level) in channels.withIndex()) tensor[(y * input.width + x) * channels.size + c] = level.toByte()
    }
    return tensor
}

internal fun randomInput(generator: Generator): Input {
    val width = randomSide(generator, 40)
    val height = randomSide(generator, 40)
    val framings = listOf(Stretch, Crop(maxOf(width, height) + generator.below(9)), Letterbox(generator.below(256)))
    val framing = framings[generator.below(3)]
    return input(width, height, framing, Filter.entries[generator.below(2)], Channels.entries[generator.below(3)])
}

internal fun randomOrientation(generator: Generator) = Orientation(generator.below(4), generator.below(2) == 1)

class PreprocessTest {
    @Test
    fun `tensors are those of the contract`() {
        val image = randomImage(Generator(7), 97, 61)
        val picture = Picture(image, 97, 61, Orientation(1, true))
        val inputs = listOf(
            input(32, 24) to "474a9921787a020ec4c15d9ceeb7483157a041e7d654f4b8809000714b1b57ef",
            input(32, 24, Crop(40), Filter.BICUBIC, Channels.BGR) to
                "546ee3989bdec88bb56636d5db67ab6ed48e823ac978bcf7116fd59067cfdf52",
            input(32, 24, Letterbox(), channels = Channels.GREY) to
                "46ccc4e913f307e54eff726990f7d606a4f4195aa8f2fc34efaed492f6561128",
        )
        for ((input, expected) in inputs) assertEquals(expected, sha256(preprocess(picture, input).first))
    }

    @Test
    fun `rows one by one give what whole images give`() {
        val generator = Generator(11)
        repeat(400) {
            val width = randomSide(generator, 70)
            val height = randomSide(generator, 70)
            val picture = Picture(randomImage(generator, width, height), width, height, randomOrientation(generator))
            val input = randomInput(generator)
            val what = "$width x $height, ${picture.orientation}, $input"
            assertContentEquals(tensorByTheText(picture, input), preprocess(picture, input).first, what)
        }
    }

    @Test
    fun `camera frames give what their pixels give, whatever came before`() {
        val generator = Generator(12)
        repeat(200) {
            val preprocessor = Preprocessor(randomInput(generator))
            repeat(3) {
                val width = randomSide(generator, 50)
                val height = randomSide(generator, 50)
                val layout = Layout.entries[generator.below(3)]
                val matrix = Matrix.entries[generator.below(2)]
                val range = Range.entries[generator.below(2)]
                val orientation = randomOrientation(generator)
                val image = randomImage(generator, width, height)
                val bytes = rgbToYuv420(image, width, height, layout, matrix, range)
                val frame = yuv420FromBytes(bytes, width, height, layout)
                preprocessor.run(frame, matrix, range, orientation)
                val ofFrame = preprocessor.tensor.copyOf()
                preprocessor.run(Picture(image, width, height, orientation))
                preprocessor.run(Picture(yuv420ToRgb(frame, matrix, range), width, height, orientation))
                assertContentEquals(preprocessor.tensor, ofFrame)
            }
        }
    }

    @Test
    fun `a flat picture stays flat`() {
        for (level in listOf(0, 1, 128, 254, 255)) for (filter in Filter.entries) {
            val picture = Picture(ByteArray(3 * 90 * 41) { level.toByte() }, 90, 41)
            val (tensor, _) = preprocess(picture, input(33, 17, filter = filter))
            assertTrue(tensor.all { it == level.toByte() })
        }
    }

    @Test
    fun `a crop of a huge scaled image computes its window alone`() {
        val picture = Picture(randomImage(Generator(3), 1, 8000), 1, 8000)
        val (tensor, geometry) = preprocess(picture, input(224, 224, Crop(256)))
        assertEquals(2_048_000, geometry.frame.scaledHeight)
        assertEquals(224 * 224 * 3, tensor.size)
    }

    @Test
    fun `boxes of the whole input come back as the whole picture`() {
        val generator = Generator(13)
        repeat(200) {
            val width = randomSide(generator, 4000)
            val height = randomSide(generator, 4000)
            val geometry = geometry(width, height, randomOrientation(generator), randomInput(generator))
            val frame = geometry.frame
            val right = (frame.left + frame.scaledWidth).toFloat()
            val bottom = (frame.top + frame.scaledHeight).toFloat()
            val whole = floatArrayOf(frame.left.toFloat(), frame.top.toFloat(), right, bottom)
            val stored = floatArrayOf(0f, 0f, width.toFloat(), height.toFloat())
            assertContentEquals(stored, geometry.toStored(whole))
            val beyond = floatArrayOf(-1e9f, -1e9f, 1e9f, 1e9f)
            assertContentEquals(stored, geometry.toStored(beyond))
            val upright = floatArrayOf(0f, 0f, frame.sourceWidth.toFloat(), frame.sourceHeight.toFloat())
            assertContentEquals(upright, geometry.toUpright(whole))
        }
    }

    @Test
    fun `pixels over a background`() {
        val rgba = byteArrayOf(10, 20, 30, 0, 10, 20, 30, -1, 100, 100, 100, 127)
        val expected = byteArrayOf(-1, 0, 7, 10, 20, 30, 178.toByte(), 50, 53)
        assertContentEquals(expected, over(rgba, intArrayOf(255, 0, 7)))
    }
}
