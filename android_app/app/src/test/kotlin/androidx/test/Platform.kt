package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

// What Robolectric and instrumented tests call of androidx.test, which Google's repository alone has: names, no more.

object InstrumentationRegistry {
    private var instance: Instrumentation? = null

    @JvmStatic
    fun registerInstance(instrumentation: Instrumentation?, @Suppress("UNUSED_PARAMETER") arguments: Bundle?) {
        instance = instrumentation
    }

    @JvmStatic
    fun getInstrumentation(): Instrumentation = checkNotNull(instance)
}
