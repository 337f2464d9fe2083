package samesight.app

import java.util.concurrent.Executor
import org.junit.rules.TemporaryFolder
import samesight.contract.ComputeUnit
import samesight.contract.Picture
import samesight.contract.SamesightError
import samesight.contract.openBundle
import samesight.engine.TrialNotes

/** Everything around a [Controller], as a test's rule: bundles, runtimes on CPU and GPU, photos, memory and a clock. */
internal class FakePhone : TemporaryFolder() {
    val opener = FakeOpener(setOf(ComputeUnit.CPU, ComputeUnit.GPU))
    val memory = FakeMemory()
    val shelf = FakeShelf()
    var photo: (IntArray) -> Picture = { Picture(ByteArray(6) { (40 * it).toByte() }, 2, 1) }
    var soc: String? = null
    var notes: TrialNotes? = null
    private var now = 0L

    fun shelved(
        name: String,
        artifacts: Map<String, String> = mapOf("$name.fp32" to "litert"),
        passed: Map<String, Boolean> = emptyMap(),
        background: List<Int> = listOf(255, 255, 255),
        soc: Map<String, List<String>> = emptyMap(),
    ) = Shelved(openBundle(writeBundle(newFolder(), name, artifacts, passed, background, soc = soc)), false)

    fun controller(loader: Executor = atOnce, analyzer: Executor = atOnce): Controller {
        val runtimes = FakeRuntimes(mapOf("litert" to opener), soc, notes)
        val photos = Photos { _, background -> photo(background) }
        return Controller(shelf, runtimes, photos, memory, loader, analyzer) { now.also { now += 1_000_000 } }
    }

    /** A controller that has read bundles of these names. */
    fun started(vararg names: String): Controller {
        names.forEach { shelf.bundles += shelved(it) }
        return controller().also { it.start() }
    }
}

/** Bundles in a list. [hidden] comes back when one is removed; [failing] may throw. */
internal class FakeShelf : Shelf {
    val bundles = mutableListOf<Shelved>()
    val broken = mutableListOf<String>()
    var hidden: Shelved? = null
    var next: () -> Shelved = { throw SamesightError("mine.zip: damaged") }
    var failing: () -> Unit = {}

    override fun all(onProblem: (String) -> Unit): List<Shelved> {
        failing()
        broken.forEach(onProblem)
        return bundles
    }

    override fun take(packed: Picked): Shelved = next()

    override fun remove(name: String) {
        failing()
        bundles.removeAll { it.opened && it.bundle.spec.name == name }
        hidden?.let { bundles += it }
    }
}

internal val Controller.state
    get() = moment.state
