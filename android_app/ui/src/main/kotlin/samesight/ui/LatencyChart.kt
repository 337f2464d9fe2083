package samesight.ui

import androidx.compose.foundation.Canvas
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.size
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.unit.dp

/** How many images the history holds. */
const val HISTORY = 60

/** The times of the last images as stacked bars, the newest at the right, and their medians as text. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
internal fun Latencies(latencies: List<Latency>) {
    if (latencies.isEmpty()) return
    val parts =
        listOf(
            Part("image", MaterialTheme.colorScheme.tertiary, latencies.map { it.preprocess }),
            Part("network", MaterialTheme.colorScheme.primary, latencies.map { it.network }),
            Part("answers", MaterialTheme.colorScheme.onSurfaceVariant, latencies.map { it.answers }),
        )
    val sum = "${milliseconds(median(latencies.map { it.sum }))} an image"
    val description = "Last ${latencies.size} images: $sum; " + parts.joinToString { "${it.name} ${it.median}" }
    Panel(sum, Modifier.clearAndSetSemantics { contentDescription = description }) {
        Bars(parts, latencies.maxOf { it.sum })
        FlowRow(horizontalArrangement = Arrangement.spacedBy(12.dp)) {
            for (part in parts) {
                Row(horizontalArrangement = Arrangement.spacedBy(4.dp), verticalAlignment = Alignment.CenterVertically) {
                    Box(Modifier.size(10.dp).background(part.color))
                    Text("${part.name} ${part.median}", style = MaterialTheme.typography.bodySmall)
                }
            }
        }
    }
}

private class Part(val name: String, val color: Color, val values: List<Float>) {
    val median = milliseconds(median(values))
}

@Composable
private fun Bars(parts: List<Part>, largest: Float) {
    Canvas(Modifier.fillMaxWidth().height(48.dp)) {
        val step = size.width / HISTORY
        val count = parts.first().values.size
        for (index in 0 until count) {
            var bottom = size.height
            for (part in parts) {
                val height = size.height * part.values[index] / largest
                val left = size.width - (count - index) * step
                drawRect(part.color, Offset(left, bottom - height), Size(0.8f * step, height))
                bottom -= height
            }
        }
    }
}

internal fun median(values: List<Float>): Double = values.sorted()[values.size / 2].toDouble()
