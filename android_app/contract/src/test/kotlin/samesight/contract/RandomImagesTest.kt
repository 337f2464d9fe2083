package samesight.contract

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class RandomImagesTest {
    @Test
    fun `first numbers are those of the contract`() {
        val generator = Generator(2024)
        val numbers = List(3) { generator.next().toULong().toString(16) }
        assertEquals(listOf("9f6d8fecf88eecd5", "18e430bb1511f2d2", "4c6f7cbf58dba57f"), numbers)
    }

    @Test
    fun `derived numbers are those of the contract`() {
        val below = Generator(2024)
        assertEquals(listOf(6, 0, 2, 1, 8, 5, 1, 5, 1, 4), List(10) { below.below(10) })
        val bytes = Generator(2024).bytes(11).map { it.toInt() and 255 }
        assertEquals(listOf(213, 236, 142, 248, 236, 143, 109, 159, 210, 242, 17), bytes)
        val sides = Generator(2024)
        assertEquals(listOf(140, 8, 794, 3, 5, 58, 1701, 3, 2742, 740), List(10) { randomSide(sides, 4000) })
    }

    @Test
    fun `image is that of the contract`() {
        val expected = "46de7ee3bb604a95a0ae21a9b499408fe55ee9f446e81d04a81276a424f60e19"
        assertEquals(expected, sha256(randomImage(Generator(2024), 37, 23)))
    }

    @Test
    fun `bytes are those of successive numbers`() {
        for (count in 0..30) {
            val slow = Generator(count.toLong())
            val numbers = LongArray((count + 7) / 8) { slow.next() }
            val expected = ByteArray(count) { (numbers[it / 8] ushr (8 * (it % 8))).toByte() }
            assertContentEquals(expected, Generator(count.toLong()).bytes(count))
        }
    }

    @Test
    fun `sides and numbers stay in range`() {
        val generator = Generator(1)
        for (largest in 1..3000) {
            assertTrue(generator.below(largest) in 0 until largest)
            assertTrue(randomSide(generator, largest) in 1..largest)
        }
    }
}
