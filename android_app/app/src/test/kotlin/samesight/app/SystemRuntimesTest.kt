package samesight.app

import android.app.ActivityManager
import android.app.ActivityManager.RunningAppProcessInfo.IMPORTANCE_CACHED
import android.app.ActivityManager.RunningAppProcessInfo.IMPORTANCE_FOREGROUND
import android.app.ApplicationExitInfo
import android.content.Context
import java.io.File
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowActivityManager.ApplicationExitInfoBuilder
import samesight.contract.ComputeUnit
import samesight.contract.SamesightError
import samesight.contract.openBundle
import samesight.engine.TrialNotes
import samesight.engine.artifactFile

@RunWith(RobolectricTestRunner::class)
class SystemRuntimesTest {
    @get:Rule val temporary = TemporaryFolder()
    private val context: Context = RuntimeEnvironment.getApplication()

    private fun ended(reason: Int, importance: Int = IMPORTANCE_FOREGROUND) {
        val manager = context.getSystemService(ActivityManager::class.java)
        val info = ApplicationExitInfoBuilder.newBuilder().setReason(reason).setImportance(importance)
        shadowOf(manager).addApplicationExitInfo(info.setProcessName(context.packageName).build())
    }

    @Test
    fun `a person who closed the app is no fault, and a crash is`() {
        assertFalse(endedByNoFault(context))
        ended(ApplicationExitInfo.REASON_USER_REQUESTED)
        assertEquals(true, endedByNoFault(context))
        for (reason in listOf(ApplicationExitInfo.REASON_CRASH_NATIVE, ApplicationExitInfo.REASON_ANR)) {
            ended(reason)
            assertFalse(endedByNoFault(context))
        }
        ended(ApplicationExitInfo.REASON_LOW_MEMORY, IMPORTANCE_CACHED)
        assertEquals(true, endedByNoFault(context))
        ended(ApplicationExitInfo.REASON_LOW_MEMORY)
        assertFalse(endedByNoFault(context))
    }

    @Test
    fun `a runtime that ended the app when it was loaded is not loaded again, and every artifact says so`() {
        val folder = temporary.newFolder("units")
        val kept = File(temporary.root, "kept")
        repeat(2) {
            assertFailsWith<StackOverflowError> {
                openerOrRefusal("LiteRT", TrialNotes(folder, "1")) {
                    folder.copyRecursively(kept, overwrite = true)
                    throw StackOverflowError()
                }
            }
            // As a crash leaves it.
            kept.copyRecursively(folder, overwrite = true)
        }
        val opener = openerOrRefusal("LiteRT", TrialNotes(folder, "1")) { error("loaded all the same") }
        val bundle = openBundle(writeBundle(temporary.newFolder()))
        val file = artifactFile(bundle, bundle.find("sums.fp32"))
        val refused = assertFailsWith<SamesightError> { opener.open(file, ComputeUnit.CPU) }
        assertContains(refused.message, "LiteRT: the app ended while it was tried; it is skipped")
    }
}
