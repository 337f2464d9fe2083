package androidx.activity

import android.app.Activity

// androidx.activity as of 1.13, as far as the app calls it: names and signatures to compile against, no behaviour.
// Tests run the app's Activity on this one, which adds nothing to the framework's.

/** An Activity that shows Compose. */
open class ComponentActivity : Activity()
