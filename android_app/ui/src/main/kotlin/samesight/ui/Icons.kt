package samesight.ui

import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.PathFillType
import androidx.compose.ui.graphics.SolidColor
import androidx.compose.ui.graphics.StrokeCap
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.graphics.vector.addPathNodes
import androidx.compose.ui.unit.dp

// Drawn here, of 24 x 24 units: Compose's own icons lack most of these, and the library that has them has 2,000 more.

private const val SIDE = 24f

/** The app's icons; whoever shows one gives it a description or stands it beside its name. */
internal object Icons {
    val pause = icon("pause", "M7,5h3.5v14h-3.5zM13.5,5h3.5v14h-3.5z")
    val play = icon("play", "M8,5v14l11,-7z")
    val torch = icon("torch", "M13,2L5,13.5h5.5L9,22L18,10h-5.5L15,2z")
    val torchOff = icon("torch off", "M13,2L5,13.5h5.5L9,22L18,10h-5.5L15,2z", "M3.5,4.5L19.5,20.5")
    val flip =
        icon(
            "flip",
            "M12,5a7,7 0 0 1 6.7,5h-2.1a5,5 0 0 0 -8.6,-1.5l2,2H4V4.5l2.6,2.6A7,7 0 0 1 12,5z" +
                "M12,19a7,7 0 0 1 -6.7,-5h2.1a5,5 0 0 0 8.6,1.5l-2,-2H20V19.5l-2.6,-2.6A7,7 0 0 1 12,19z",
        )
    val photo =
        icon(
            "photo",
            "M5,4h14a2,2 0 0 1 2,2v12a2,2 0 0 1 -2,2H5a2,2 0 0 1 -2,-2V6a2,2 0 0 1 2,-2zM5,6v12h14V6z" +
                "M6.5,16.5l3.5,-4.5l2.5,3l3,-4l3,5.5z",
        )
    val camera =
        icon(
            "camera",
            "M9,4L7.2,6H4a2,2 0 0 0 -2,2v10a2,2 0 0 0 2,2h16a2,2 0 0 0 2,-2V8a2,2 0 0 0 -2,-2h-3.2L15,4z" +
                "M12,8a5,5 0 1 1 0,10a5,5 0 1 1 0,-10zM12,10a3,3 0 1 0 0,6a3,3 0 1 0 0,-6z",
        )
    val save = icon("save", "M11,3h2v9.2l3.6,-3.6L18,10l-6,6l-6,-6l1.4,-1.4l3.6,3.6zM5,18.5h14v2H5z")
    val share =
        icon(
            "share",
            "M18,2a3,3 0 1 1 0,6a3,3 0 1 1 0,-6zM6,9a3,3 0 1 1 0,6a3,3 0 1 1 0,-6z" +
                "M18,16a3,3 0 1 1 0,6a3,3 0 1 1 0,-6z",
            "M6,12L18,5M6,12L18,19",
        )
    val back = icon("back", "M20,11H7.8l5.6,-5.6L12,4l-8,8l8,8l1.4,-1.4L7.8,13H20z")
    val close =
        icon("close", "M19,6.4L17.6,5L12,10.6L6.4,5L5,6.4L10.6,12L5,17.6L6.4,19L12,13.4L17.6,19L19,17.6L13.4,12z")
    val up = icon("up", "M12,8l-6,6l1.4,1.4l4.6,-4.6l4.6,4.6L18,14z")
    val down = icon("down", "M12,16l6,-6l-1.4,-1.4l-4.6,4.6l-4.6,-4.6L6,10z")
    val next = icon("next", "M10,6L8.6,7.4l4.6,4.6l-4.6,4.6L10,18l6,-6z")
    val check =
        icon(
            "check",
            "M12,2a10,10 0 1 0 0,20a10,10 0 1 0 0,-20zM12,4a8,8 0 1 1 0,16a8,8 0 1 1 0,-16z" +
                "M10.5,16.5l-4,-4l1.4,-1.4l2.6,2.6l5.6,-5.6l1.4,1.4z",
        )
    val fault =
        icon("fault", "M12,2a10,10 0 1 0 0,20a10,10 0 1 0 0,-20zM11,7h2v6.5h-2zM11,15h2v2h-2z")
    val unused = icon("unused", "M12,2a10,10 0 1 0 0,20a10,10 0 1 0 0,-20zM12,4a8,8 0 1 1 0,16a8,8 0 1 1 0,-16zM7,11h10v2H7z")
    val open = icon("open", "M4,5h6l2,2h8a1,1 0 0 1 1,1v10a1,1 0 0 1 -1,1H4a1,1 0 0 1 -1,-1V6a1,1 0 0 1 1,-1z")
    val remove = icon("remove", "M9,3h6l1,1h4v2H4V4h4zM6,8h12l-1,13H7z")
}

/** @param area is filled where an odd number of its outlines lie around; [lines] are drawn. */
private fun icon(name: String, area: String, lines: String = ""): ImageVector {
    // Whoever shows it tints it.
    val ink = SolidColor(Color.Black)
    val drawn = ImageVector.Builder(name, SIDE.dp, SIDE.dp, SIDE, SIDE)
    drawn.addPath(addPathNodes(area), PathFillType.EvenOdd, fill = ink)
    if (lines.isNotEmpty()) {
        drawn.addPath(addPathNodes(lines), stroke = ink, strokeLineWidth = 2f, strokeLineCap = StrokeCap.Round)
    }
    return drawn.build()
}
