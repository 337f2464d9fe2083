package samesight.contract

/**
 * A stream of 64-bit numbers from a seed; equal seeds give equal streams in every language (SplitMix64).
 *
 * Guy L. Steele, Doug Lea, Christine H. Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014. Makes
 * test images; not for secrets. Unsigned 64-bit numbers are the bits of a [Long].
 */
class Generator(seed: Long) {
    private var state = seed

    /** The next number. */
    fun next(): Long {
        state += GAMMA
        val a = (state xor (state ushr 30)) * MULTIPLY_1
        val b = (a xor (a ushr 27)) * MULTIPLY_2
        return b xor (b ushr 31)
    }

    /** A number 0 <= n < bound, for 1 <= bound <= 2^31 - 1: the upper 32 bits of [next] scaled down. */
    fun below(bound: Int): Int = (((next() ushr 32) * bound) ushr 32).toInt()

    /** [count] bytes: those of successive [next] values, the least significant first; what is left is lost. */
    fun bytes(count: Int): ByteArray {
        val result = ByteArray(count)
        var at = 0
        while (at < count) {
            var value = next()
            val stop = minOf(at + 8, count)
            while (at < stop) {
                result[at++] = value.toByte()
                value = value ushr 8
            }
        }
        return result
    }
}

private const val GAMMA = -0x61c8864680b583ebL // 9e3779b97f4a7c15
private const val MULTIPLY_1 = -0x40a7b892e31b1a47L // bf58476d1ce4e5b9
private const val MULTIPLY_2 = -0x6b2fb644ecceee15L // 94d049bb133111eb

/** A side length 1..[largest], each octave equally likely: small, odd and large sizes all come up. */
fun randomSide(generator: Generator, largest: Int): Int {
    val octave = generator.below(32 - largest.countLeadingZeroBits())
    return minOf((1 shl octave) + generator.below(1 shl octave), largest)
}

/** A test image, RGB bytes [height, width, 3]: smooth gradients, rectangles with hard edges, noise over all. */
fun randomImage(generator: Generator, width: Int, height: Int): ByteArray {
    val image = gradients(generator, width, height)
    repeat(1 + generator.below(6)) { rectangle(generator, image, width, height) }
    val amplitude = generator.below(64)
    val noise = generator.bytes(image.size)
    for (i in image.indices) {
        val moved = (((noise[i].toInt() and 255) * (2 * amplitude + 1)) shr 8) - amplitude
        image[i] = ((image[i].toInt() and 255) + moved).coerceIn(0, 255).toByte()
    }
    return image
}

private fun gradients(generator: Generator, width: Int, height: Int): ByteArray {
    val image = ByteArray(width * height * 3)
    val across = IntArray(width)
    for (channel in 0 until 3) {
        val left = generator.below(256)
        val right = generator.below(256)
        val top = generator.below(256)
        val bottom = generator.below(256)
        for (x in 0 until width) across[x] = (left * (width - x) + right * x) / width
        for (y in 0 until height) {
            val down = (top * (height - y) + bottom * y) / height
            var at = y * width * 3 + channel
            for (x in 0 until width) {
                image[at] = ((across[x] + down) shr 1).toByte()
                at += 3
            }
        }
    }
    return image
}

private fun rectangle(generator: Generator, image: ByteArray, width: Int, height: Int) {
    val left = generator.below(width)
    val top = generator.below(height)
    val across = 1 + generator.below(width - left)
    val down = 1 + generator.below(height - top)
    val red = generator.below(256).toByte()
    val green = generator.below(256).toByte()
    val blue = generator.below(256).toByte()
    for (y in top until top + down) {
        var at = (y * width + left) * 3
        repeat(across) {
            image[at] = red
            image[at + 1] = green
            image[at + 2] = blue
            at += 3
        }
    }
}
