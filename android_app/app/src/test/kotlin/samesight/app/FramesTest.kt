package samesight.app

import android.hardware.DataSpace
import java.nio.ByteBuffer
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import org.junit.Test
import samesight.contract.Matrix
import samesight.contract.Range

class FramesTest {
    @Test
    fun `colours are what the image says, and a camera's where it says nothing`() {
        assertEquals(Matrix.BT601 to Range.FULL, colours(DataSpace.DATASPACE_UNKNOWN))
        assertEquals(Matrix.BT601 to Range.FULL, colours(DataSpace.DATASPACE_JFIF))
        assertEquals(Matrix.BT601 to Range.VIDEO, colours(DataSpace.DATASPACE_BT601_625))
        assertEquals(Matrix.BT601 to Range.VIDEO, colours(DataSpace.DATASPACE_BT601_525))
        assertEquals(Matrix.BT709 to Range.VIDEO, colours(DataSpace.DATASPACE_BT709))
        assertEquals(
            Matrix.BT709 to Range.FULL,
            colours(DataSpace.pack(DataSpace.STANDARD_BT709, DataSpace.TRANSFER_SMPTE_170M, DataSpace.RANGE_FULL)),
        )
    }

    @Test
    fun `the size nearest to the one wanted`() {
        val sizes = listOf(4000 to 3000, 1280 to 720, 640 to 360, 720 to 480, 320 to 240)
        assertEquals(720 to 480, nearest(sizes, 640, 480))
        assertEquals(640 to 480, nearest(sizes + (640 to 480), 640, 480))
        assertEquals(1 to 3, nearest(listOf(3 to 3, 1 to 3), 2, 3))
    }

    @Test
    fun `a plane begins where its buffer stands`() {
        val buffer = ByteBuffer.allocateDirect(6).put(byteArrayOf(9, 1, 2, 3, 4, 5)).apply { position(1) }
        val plane = plane(buffer, rowStride = 4, pixelStride = 2)
        assertContentEquals(byteArrayOf(1, 2, 3, 4, 5), plane.data)
        assertEquals(4 to 2, plane.rowStride to plane.pixelStride)
    }
}
