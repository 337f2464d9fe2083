package samesight.ui

import androidx.compose.foundation.Canvas
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.CornerRadius
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.graphics.drawscope.Stroke
import androidx.compose.ui.text.TextMeasurer
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.text.drawText
import androidx.compose.ui.text.rememberTextMeasurer
import androidx.compose.ui.unit.dp
import samesight.contract.Answer
import samesight.contract.Box

// Told apart by hue and by brightness; a label's text is black or white, whichever reads better.
private val HUES =
    listOf(0xFFFFB000, 0xFF40C4FF, 0xFFFF6E9C, 0xFF69F0AE, 0xFFB388FF, 0xFFFF8A50, 0xFFEEFF41, 0xFF84FFFF)
        .map { Color(it) }

/** The colour of a class, the same in every image. */
internal fun hue(index: Int): Color = HUES[index % HUES.size]

/**
 * Draws boxes over an image that fills this element.
 *
 * @param seen boxes in pixels of the upright image, whose aspect is that of the element.
 */
@Composable
internal fun Boxes(seen: Seen, modifier: Modifier) {
    val measurer = rememberTextMeasurer()
    val style = MaterialTheme.typography.labelMedium
    Canvas(modifier) { drawBoxes(seen, measurer, style) }
}

/** Draws boxes over all of what is drawn on. */
internal fun DrawScope.drawBoxes(seen: Seen, measurer: TextMeasurer, style: TextStyle) {
    // The best is drawn last, above the others.
    for (answer in seen.answers.asReversed()) {
        answer.box?.let { draw(answer, placed(it, seen, size), measurer, style) }
    }
}

/** A box in pixels of the element: its corner and its size. */
internal fun placed(box: Box, seen: Seen, element: Size): Pair<Offset, Size> {
    val across = element.width / seen.width
    val down = element.height / seen.height
    return Offset(box.x1 * across, box.y1 * down) to
        Size((box.x2 - box.x1) * across, (box.y2 - box.y1) * down)
}

private fun DrawScope.draw(answer: Answer, place: Pair<Offset, Size>, measurer: TextMeasurer, style: TextStyle) {
    val (corner, side) = place
    val line = 2.5.dp.toPx()
    val round = CornerRadius(3.dp.toPx())
    drawRoundRect(Color.Black, corner, side, round, Stroke(2 * line), alpha = 0.55f)
    drawRoundRect(hue(answer.index), corner, side, round, Stroke(line))
    drawLabel(answer, corner, measurer, style)
}

/** An answer's label and score above [corner], or below it where there is no room above. */
internal fun DrawScope.drawLabel(answer: Answer, corner: Offset, measurer: TextMeasurer, style: TextStyle) {
    val text = measurer.measure("${answer.label} ${percent(answer.score)}", style.copy(color = Color.Black))
    val round = CornerRadius(3.dp.toPx())
    val room = 3.dp.toPx()
    val height = text.size.height + room
    val width = text.size.width + 2 * room
    val top = if (corner.y >= height) corner.y - height else corner.y
    // Never beyond the right edge.
    val left = corner.x.coerceIn(0f, maxOf(0f, size.width - width))
    drawRoundRect(hue(answer.index), Offset(left, top), Size(width, height), round)
    drawText(text, topLeft = Offset(left + room, top + room / 2))
}
