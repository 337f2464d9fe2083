package androidx.activity

import android.app.Activity
import android.content.Intent

// androidx.activity as of 1.10, as far as the app calls it: names and signatures to compile against, no behaviour.
// Tests run the app's Activity on this one, which adds nothing to the framework's.

/** An Activity that shows Compose. */
open class ComponentActivity : Activity() {
    @Deprecated("as in androidx")
    override fun startActivityForResult(intent: Intent, requestCode: Int) =
        super.startActivityForResult(intent, requestCode)

    @Deprecated("as in androidx")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) =
        super.onActivityResult(requestCode, resultCode, data)

    @Deprecated("as in androidx")
    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) =
        super.onRequestPermissionsResult(requestCode, permissions, grantResults)
}
