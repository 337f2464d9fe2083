package samesight.ui

import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Canvas
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.graphics.drawscope.CanvasDrawScope
import androidx.compose.ui.text.TextMeasurer
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.unit.Density
import androidx.compose.ui.unit.IntSize
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.sp

/** At this width, in pixels, letters and lines have the size that they have on a screen. */
private const val USUAL_WIDTH = 360f
private val LABEL = 12.sp

/** The least side of a picture that is kept, so that letters over a small image can be read. */
private const val LEAST_SIDE = 720

/**
 * A copy of the still image with its boxes, for a file.
 *
 * @param image upright, of any size with the aspect of [seen].
 * @param state of the moment in which it was seen.
 * @param fonts of the system that draws.
 */
fun pictureWithAnswers(image: ImageBitmap, state: State, seen: Seen, fonts: FontFamily.Resolver, letters: FontFamily = FontFamily.Default): ImageBitmap {
    val larger = maxOf(1, (LEAST_SIDE + maxOf(image.width, image.height) - 1) / maxOf(image.width, image.height))
    val copy = ImageBitmap(larger * image.width, larger * image.height)
    val density = Density(minOf(copy.width, copy.height) / USUAL_WIDTH)
    val measurer = TextMeasurer(fonts, density, LayoutDirection.Ltr)
    val size = Size(copy.width.toFloat(), copy.height.toFloat())
    CanvasDrawScope().draw(density, LayoutDirection.Ltr, Canvas(copy), size) {
        drawImage(image, dstSize = IntSize(copy.width, copy.height))
        state.taskView?.run { draw(seen, measurer, TextStyle(fontSize = LABEL, fontFamily = letters)) }
    }
    return copy
}

/** The answers of the still image as text, one a line, for whoever gets the picture. */
fun answersAsText(state: State, seen: Seen): String {
    val model = listOfNotNull(state.bundle, state.artifact).joinToString(", ")
    val lines = seen.answers.map { answer ->
        val box = answer.box?.run { ", box %.1f %.1f %.1f %.1f".format(java.util.Locale.ROOT, x1, y1, x2, y2) }.orEmpty()
        "${answer.label}, ${percent(answer.score)}$box"
    }
    val found = lines.ifEmpty { listOf("Nothing found") }
    return (listOf("$model, ${statusLine(state.model)}, image of ${seen.width} x ${seen.height} pixels") + found).joinToString("\n")
}
