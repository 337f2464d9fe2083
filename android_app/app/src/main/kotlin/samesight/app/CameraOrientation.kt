package samesight.app

import samesight.contract.Orientation
import samesight.contract.SamesightError

/**
 * What makes a camera's frames upright.
 *
 * Nothing is mirrored: sensors give the world as it is, also those that look at the person. What a mirror would show is
 * made for the screen alone ([mirrored]).
 *
 * @param sensor degrees 0, 90, 180 or 270: clockwise turn of the sensor's image that makes it upright while the device
 *     is held as made (`SENSOR_ORIENTATION`).
 * @param display degrees 0, 90, 180 or 270: how far the screen's content is turned clockwise from there, because the
 *     device is turned as far counterclockwise (`Display.getRotation`, times 90).
 * @param front whether the camera looks where the screen looks: it sees the device turn the other way round.
 */
fun cameraOrientation(sensor: Int, display: Int, front: Boolean): Orientation {
    for (degrees in listOf(sensor, display)) {
        if (degrees !in intArrayOf(0, 90, 180, 270)) {
            throw SamesightError("a camera is turned by 0, 90, 180 or 270 degrees, not $degrees")
        }
    }
    val turn = if (front) sensor + display else sensor - display
    return Orientation(Math.floorMod(turn, 360) / 90)
}

/** The orientation that shows as in a mirror what this one shows as it is. */
fun mirrored(orientation: Orientation): Orientation = orientation.copy(mirrored = !orientation.mirrored)
