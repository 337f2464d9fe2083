package samesight.app

import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.junit.Test
import samesight.contract.Orientation
import samesight.contract.SamesightError

private val DEGREES = listOf(0, 90, 180, 270)

class CameraOrientationTest {
    @Test
    fun `phones of today`() {
        // Held upright; turned to the left, so that the top points left; upside down; turned to the right.
        assertEquals(listOf(1, 0, 3, 2), DEGREES.map { cameraOrientation(90, it, front = false).quarterTurns })
        assertEquals(listOf(3, 0, 1, 2), DEGREES.map { cameraOrientation(270, it, front = true).quarterTurns })
        // A tablet that is made to lie, and a back camera that is built in the other way round (Nexus 5X).
        assertEquals(0, cameraOrientation(0, 0, front = false).quarterTurns)
        assertEquals(3, cameraOrientation(270, 0, front = false).quarterTurns)
    }

    /** Sensor, device and world as turns of one image: what is upright in the world is upright in the end. */
    @Test
    fun `the world is upright however the device is held`() {
        val (width, height) = 3 to 2
        val world = ByteArray(3 * width * height) { it.toByte() }
        for (front in listOf(false, true)) {
            for (sensor in DEGREES) {
                for (display in DEGREES) {
                    // The screen turns its content clockwise because the device was turned counterclockwise, seen from
                    // its front; seen by a camera that looks the other way, at the person, it was turned clockwise.
                    val deviceClockwise = if (front) display else -display
                    // The sensor's image would be upright after `sensor` degrees clockwise: it is that far turned back.
                    // A device that turns clockwise sees the world turn counterclockwise.
                    val turned = Orientation(Math.floorMod(-sensor - deviceClockwise, 360) / 90)
                    val frame = turned.upright(world, width, height)
                    val (across, down) = turned.uprightWidth(width, height) to turned.uprightHeight(width, height)
                    val upright = cameraOrientation(sensor, display, front)
                    assertContentEquals(world, upright.upright(frame, across, down), "$sensor $display $front")
                    assertEquals(false, upright.mirrored)
                }
            }
        }
    }

    @Test
    fun `a mirror swaps left and right of what is upright`() {
        val row = byteArrayOf(1, 1, 1, 2, 2, 2)
        assertContentEquals(byteArrayOf(2, 2, 2, 1, 1, 1), mirrored(Orientation(0)).upright(row, 2, 1))
        // Stored as a column that a quarter turn clockwise lays down, the lower pixel to the left.
        assertContentEquals(byteArrayOf(1, 1, 1, 2, 2, 2), mirrored(Orientation(1)).upright(row, 1, 2))
        assertEquals(Orientation(3), mirrored(mirrored(Orientation(3))))
    }

    @Test
    fun `other angles are refused`() {
        assertFailsWith<SamesightError> { cameraOrientation(45, 0, front = false) }
        assertFailsWith<SamesightError> { cameraOrientation(0, 360, front = true) }
    }
}
