package samesight.ui

import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.material3.LocalContentColor
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Typography
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.text.font.FontFamily

private val LIGHT =
    lightColorScheme(
        primary = Color(0xFF1F5FA8),
        onPrimary = Color.White,
        primaryContainer = Color(0xFFD6E4F7),
        onPrimaryContainer = Color(0xFF0B2A4D),
        secondaryContainer = Color(0xFFE1E6EE),
        onSecondaryContainer = Color(0xFF1B222C),
        tertiary = Color(0xFF1B6E43),
        background = Color(0xFFFAFBFD),
        surface = Color(0xFFFAFBFD),
        surfaceContainerHighest = Color(0xFFE9EDF3),
        onSurface = Color(0xFF191C20),
        surfaceVariant = Color(0xFFE4E8EE),
        onSurfaceVariant = Color(0xFF43484F),
        error = Color(0xFFB3261E),
    )

private val DARK =
    darkColorScheme(
        primary = Color(0xFF9CC4F5),
        onPrimary = Color(0xFF0B2A4D),
        primaryContainer = Color(0xFF1E4673),
        onPrimaryContainer = Color(0xFFD6E4F7),
        secondaryContainer = Color(0xFF353C46),
        onSecondaryContainer = Color(0xFFE1E6EE),
        tertiary = Color(0xFF8FD6AE),
        background = Color(0xFF111418),
        surface = Color(0xFF111418),
        surfaceContainerHighest = Color(0xFF262B32),
        onSurface = Color(0xFFE3E6EA),
        surfaceVariant = Color(0xFF363B42),
        onSurfaceVariant = Color(0xFFC5CAD2),
        error = Color(0xFFF2B8B5),
    )

/** The app's colours, light or dark, and its letters. */
@Composable
fun SamesightTheme(
    dark: Boolean = isSystemInDarkTheme(),
    letters: FontFamily = FontFamily.Default,
    content: @Composable () -> Unit,
) {
    MaterialTheme(if (dark) DARK else LIGHT, typography = typography(letters), content = content)
}

/** The same letters, light on dark. */
@Composable
internal fun DarkTheme(content: @Composable () -> Unit) =
    MaterialTheme(DARK, typography = MaterialTheme.typography) {
        CompositionLocalProvider(LocalContentColor provides MaterialTheme.colorScheme.onSurface, content = content)
    }

private fun typography(letters: FontFamily): Typography {
    val plain = Typography()
    return Typography(
        titleLarge = plain.titleLarge.copy(fontFamily = letters),
        titleMedium = plain.titleMedium.copy(fontFamily = letters),
        titleSmall = plain.titleSmall.copy(fontFamily = letters),
        bodyLarge = plain.bodyLarge.copy(fontFamily = letters),
        bodyMedium = plain.bodyMedium.copy(fontFamily = letters),
        bodySmall = plain.bodySmall.copy(fontFamily = letters),
        labelLarge = plain.labelLarge.copy(fontFamily = letters),
        labelMedium = plain.labelMedium.copy(fontFamily = letters),
        labelSmall = plain.labelSmall.copy(fontFamily = letters),
    )
}
