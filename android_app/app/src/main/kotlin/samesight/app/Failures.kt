package samesight.app

import java.util.concurrent.CancellationException
import samesight.contract.SamesightError

/** What [act] gives; where it fails, what [failed] makes of one sentence; null where it was cancelled. */
internal fun <T> catchFailures(failed: (String) -> T, act: () -> T): T? =
    try {
        act()
    } catch (_: CancellationException) {
        null
    } catch (error: SamesightError) {
        failed(error.message)
    } catch (problem: Exception) {
        failed("something in the app went wrong: $problem")
    } catch (missing: LinkageError) {
        failed("a library is not in this app: $missing; build the app anew")
    } catch (_: OutOfMemoryError) {
        failed("not enough memory; close other apps, or take a smaller image or model")
    }
