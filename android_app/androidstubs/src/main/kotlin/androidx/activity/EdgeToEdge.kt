package androidx.activity

private fun signatureOnly(): Nothing =
    throw UnsupportedOperationException("a compile-only signature of androidx.activity")

/** How a bar of the system looks over the app. */
class SystemBarStyle private constructor() {
    @Suppress("UNUSED_PARAMETER")
    companion object {
        /** Icons are light. */
        fun dark(scrim: Int): SystemBarStyle = signatureOnly()
    }
}

/** The app draws below the system's bars, whose icons are dark by day and light by night. */
@Suppress("UNUSED_PARAMETER")
fun ComponentActivity.enableEdgeToEdge(
    statusBarStyle: SystemBarStyle = signatureOnly(),
    navigationBarStyle: SystemBarStyle = signatureOnly(),
): Unit = signatureOnly()
