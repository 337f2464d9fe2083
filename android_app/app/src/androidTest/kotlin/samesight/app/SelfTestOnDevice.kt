package samesight.app

import android.util.Log
import androidx.test.platform.app.InstrumentationRegistry
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import samesight.engine.judge
import samesight.engine.selfTest

/**
 * The self-test of every bundle of the app, without a hand on the phone: `gradlew connectedPlainDebugAndroidTest`.
 *
 * Writes `device-parity-MODEL.json` for `adb pull` (`docs/on-a-phone.md`). A test on a computer runs it with a
 * made-up runtime; on a phone it has not run yet.
 */
class SelfTestOnDevice {
    private val context = InstrumentationRegistry.getInstrumentation().targetContext
    private val app = context.applicationContext as SamesightApplication

    @Test
    fun everyBundle() {
        val problems = mutableListOf<String>()
        val shelved = app.shelf.all { problems += it }
        assertEquals(emptyList<String>(), problems)
        assertTrue("no bundle is installed: samesight install BUNDLE android_app", shelved.isNotEmpty())
        val folder = checkNotNull(app.getExternalFilesDir(null)) { "the phone's shared storage is not there" }
        val wrong = shelved.flatMap { bundle ->
            val runtimes = app.runtimes
            val (notes, soc) = runtimes.notes to runtimes.soc
            val parity =
                selfTest(bundle.bundle, runtimes.openers, runtimes.device, notes = notes, soc = soc) { done, all, next ->
                    Log.i("samesight", "${bundle.bundle.spec.name}: $done of $all, $next")
                }
            File(folder, "device-parity-${bundle.bundle.spec.name}.json").writeText(parity.toJson())
            judge(parity.runs, bundle.bundle.goldenCases(), bundle.bundle.manifest.artifacts).failures
        }
        assertEquals(emptyList<String>(), wrong)
    }
}
