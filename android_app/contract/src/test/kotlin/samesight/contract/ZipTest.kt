package samesight.contract

import com.sun.management.ThreadMXBean
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.lang.management.ManagementFactory
import java.util.zip.CRC32
import java.util.zip.ZipEntry as JavaEntry
import java.util.zip.ZipOutputStream
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

private const val LARGE = 16 shl 20

class ZipTest {
    private val file = File.createTempFile("samesight", ".zip")

    @AfterTest
    fun remove() {
        file.delete()
    }

    private fun write(content: ByteArray, stored: Boolean) {
        ZipOutputStream(file.outputStream()).use { zip ->
            val entry = JavaEntry("weights")
            if (stored) {
                entry.method = JavaEntry.STORED
                entry.size = content.size.toLong()
                entry.crc = CRC32().also { it.update(content) }.value
            }
            zip.putNextEntry(entry)
            zip.write(content)
        }
    }

    private fun digest(): String {
        val buffer = ByteArray(1 shl 16)
        val sum = CRC32()
        RandomAccessFile(file, "r").use { archive ->
            zipEntries(archive).single().open(archive).use { content ->
                var count = content.read(buffer)
                while (count >= 0) {
                    sum.update(buffer, 0, count)
                    count = content.read(buffer)
                }
            }
        }
        return "${sum.value}"
    }

    @Test
    fun `a large entry is read in pieces, stored or packed`() {
        val content = Generator(1).bytes(LARGE)
        val expected = "${CRC32().also { it.update(content) }.value}"
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        for (stored in listOf(true, false)) {
            write(content, stored)
            val before = threads.currentThreadAllocatedBytes
            assertEquals(expected, digest())
            val used = threads.currentThreadAllocatedBytes - before
            assertTrue(used < LARGE / 16, "$used bytes of memory for $LARGE of content, stored: $stored")
        }
    }

    @Test
    fun `a changed byte is noticed at the end`() {
        write(ByteArray(100_000) { 7 }, stored = true)
        RandomAccessFile(file, "rw").use {
            it.seek(50_000)
            it.write(8)
        }
        assertContains(assertFailsWith<IOException> { digest() }.message.orEmpty(), "Bad CRC-32 for file 'weights'")
    }

    @Test
    fun `one byte at a time is the same content`() {
        val content = Generator(2).bytes(1000)
        for (stored in listOf(true, false)) {
            write(content, stored)
            RandomAccessFile(file, "r").use { archive ->
                val entry = zipEntries(archive).single().open(archive)
                val read = generateSequence { entry.read().takeIf { it >= 0 } }.map { it.toByte() }.toList()
                assertEquals(content.toList(), read)
            }
        }
    }
}
