package samesight.ui

import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.WindowInsetsSides
import androidx.compose.foundation.layout.fillMaxHeight
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.only
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawing
import androidx.compose.foundation.layout.width
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.layout.windowInsetsBottomHeight
import androidx.compose.foundation.layout.windowInsetsPadding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.BottomSheetScaffold
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SheetValue
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.material3.TopAppBar
import androidx.compose.material3.rememberBottomSheetScaffoldState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.layout.onSizeChanged
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.dp
import kotlinx.coroutines.launch

internal const val APP = "Samesight"

/** From this width on (Material's "medium" window) image and sheet stand side by side. */
private val WIDE = 600.dp
private val HANDLE = 24.dp

/** The camera's moving image, or the still one that was looked at, filling what it is given. */
typealias Preview = @Composable (Modifier) -> Unit

/**
 * The whole app: the live screen or the self-test.
 *
 * @param preview shows the image of [State.source]; boxes are drawn over it here.
 * @param insets what the system's bars and the camera's hole in the screen take of the window's edges.
 */
@Composable
fun SamesightApp(state: State, preview: Preview, insets: WindowInsets = WindowInsets.safeDrawing, onEvent: (Event) -> Unit) {
    when {
        state.testing -> SelfTestScreen(state, insets, onEvent)
        state.bundles.isEmpty() -> Empty(state, insets, onEvent)
        else -> LiveScreen(state, preview, insets, onEvent)
    }
}

/** A screen with a title; [actions] stand at its right end. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
internal fun Titled(
    title: String,
    insets: WindowInsets,
    back: (() -> Unit)? = null,
    actions: @Composable () -> Unit = {},
    content: @Composable (PaddingValues) -> Unit,
) {
    Scaffold(
        topBar = {
            TopAppBar(
                title = { Text(title, Modifier.semantics { heading() }, maxLines = 1, overflow = TextOverflow.Ellipsis) },
                navigationIcon = { if (back != null) IconButton(back) { Icon(Icons.back, "Back") } },
                actions = { actions() },
                windowInsets = insets.only(WindowInsetsSides.Horizontal + WindowInsetsSides.Top),
            )
        },
        contentWindowInsets = insets,
        content = content,
    )
}

@Composable
private fun Empty(state: State, insets: WindowInsets, onEvent: (Event) -> Unit) {
    Titled(APP, insets) { padding ->
        BoxWithConstraints(Modifier.padding(padding).fillMaxSize()) {
            val most = maxHeight / 2
            Column {
                Notices(state, Modifier.heightIn(max = most), onEvent)
                // At the start they are still being read.
                if (state.model != Model.Loading) NoBundles(onEvent)
            }
        }
    }
}

@Composable
private fun LiveScreen(state: State, preview: Preview, insets: WindowInsets, onEvent: (Event) -> Unit) {
    BoxWithConstraints(Modifier.fillMaxSize().background(Color.Black)) {
        val most = maxHeight / 2
        if (maxWidth >= WIDE) TwoPanes(state, preview, insets, maxWidth, onEvent)
        else WithSheet(state, preview, insets, maxHeight, onEvent)
        val place = Modifier.align(Alignment.TopCenter).windowInsetsPadding(insets).padding(top = 56.dp)
        Notices(state, place.widthIn(max = 480.dp).heightIn(max = most), onEvent)
    }
}

/** On tablets, unfolded phones and phones that lie on their side; dark, as are then the system's bars over both panes. */
@Composable
private fun TwoPanes(state: State, preview: Preview, insets: WindowInsets, width: Dp, onEvent: (Event) -> Unit) = DarkTheme {
    Row(Modifier.fillMaxSize()) {
        val left = insets.only(WindowInsetsSides.Start + WindowInsetsSides.Vertical)
        Viewfinder(state, preview, left, Modifier.weight(1f).fillMaxHeight(), onEvent)
        Surface(Modifier.width(if (width < 1000.dp) 320.dp else 400.dp).fillMaxHeight()) {
            val right = insets.only(WindowInsetsSides.End + WindowInsetsSides.Vertical)
            Column(Modifier.verticalScroll(rememberScrollState()).windowInsetsPadding(right).padding(top = 16.dp)) {
                SheetHeader(state, null, toggle = {}, onEvent = onEvent)
                SheetContent(state, onEvent = onEvent)
            }
        }
    }
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
private fun WithSheet(state: State, preview: Preview, insets: WindowInsets, height: Dp, onEvent: (Event) -> Unit) {
    val scaffold = rememberBottomSheetScaffoldState()
    val sheet = scaffold.bottomSheetState
    val open = sheet.targetValue == SheetValue.Expanded
    val scope = rememberCoroutineScope()
    val bottom = insets.only(WindowInsetsSides.Bottom)
    val density = LocalDensity.current
    var header by remember { mutableStateOf(80.dp) }
    val peek = HANDLE + header + with(density) { bottom.getBottom(this).toDp() }
    BottomSheetScaffold(
        sheetContent = {
            val measured = Modifier.onSizeChanged { header = with(density) { it.height.toDp() } }
            val toggle: () -> Unit = { scope.launch { if (open) sheet.partialExpand() else sheet.expand() } }
            SheetHeader(state, open, measured, toggle, onEvent)
            // What follows is not seen below the closed sheet's header either.
            Spacer(Modifier.windowInsetsBottomHeight(bottom))
            Column(Modifier.heightIn(max = height * 0.85f - peek).verticalScroll(rememberScrollState())) {
                SheetContent(state, onEvent = onEvent)
                Spacer(Modifier.windowInsetsBottomHeight(bottom))
            }
        },
        scaffoldState = scaffold,
        sheetPeekHeight = peek,
        sheetContainerColor = MaterialTheme.colorScheme.surface,
        sheetDragHandle = { Handle() },
        containerColor = Color.Black,
    ) {
        val top = insets.only(WindowInsetsSides.Top + WindowInsetsSides.Horizontal)
        Viewfinder(state, preview, top, Modifier.fillMaxSize().padding(bottom = peek), onEvent)
    }
}

@Composable
private fun Handle() {
    Box(Modifier.fillMaxWidth().height(HANDLE), Alignment.Center) {
        val color = MaterialTheme.colorScheme.onSurfaceVariant.copy(alpha = 0.4f)
        Surface(Modifier.width(32.dp).height(4.dp), MaterialTheme.shapes.extraLarge, color) {}
    }
}
