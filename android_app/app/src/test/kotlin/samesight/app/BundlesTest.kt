package samesight.app

import java.io.File
import java.io.IOException
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import samesight.contract.SamesightError

class BundlesTest {
    @get:Rule val temporary = TemporaryFolder()
    private val root by lazy { temporary.newFolder("assets") }
    private val files by lazy { temporary.newFolder("files") }
    private val cache by lazy { temporary.newFolder("cache") }
    private val problems = mutableListOf<String>()

    private var room = Long.MAX_VALUE

    private fun bundles() = Bundles(FolderAssets(root), files, cache) { room }

    private fun all() = bundles().all { problems += it }

    private fun install(name: String, seed: Int = 0): File {
        val folder = File(root, "bundles/$name").apply { deleteRecursively() }
        return writeBundle(folder, name, passed = mapOf("$name.fp32" to true), seed = seed)
    }

    private fun left() = listOf(files, cache).flatMap { it.walk() }.filter { it.isFile }.map { it.path }.toSet()

    @Test
    fun `an app without bundles has none`() {
        assertEquals(emptyList(), all())
        assertEquals(emptyList(), problems)
    }

    @Test
    fun `bundles are copied once, with their verdicts`() {
        install("sums")
        install("spots")
        val found = all()
        assertEquals(listOf("spots" to false, "sums" to false), found.map { it.bundle.spec.name to it.opened })
        assertEquals(true, found[1].bundle.verdicts()?.artifacts?.single()?.passed)
        val copy = found[1].bundle.path(found[1].bundle.find("sums.fp32"))
        copy.setLastModified(1000)
        assertEquals(copy, all()[1].bundle.let { it.path(it.find("sums.fp32")) })
        assertEquals(1000, copy.lastModified())
    }

    @Test
    fun `a new version of the app brings its bundle, and the old copy goes`() {
        install("sums")
        val old = all().single().bundle.folder
        install("sums", seed = 1)
        val new = all().single().bundle.folder
        assertFalse(old.exists())
        assertEquals(listOf(new), new.parentFile.listFiles()?.toList())
        File(root, "bundles").deleteRecursively()
        assertEquals(emptyList(), all())
        assertFalse(new.exists())
    }

    @Test
    fun `a copy that was damaged is made again`() {
        install("sums")
        val copy = all().single().bundle
        copy.path(copy.find("sums.fp32")).writeText("x")
        assertEquals("weights of sums.fp32", all().single().bundle.let { it.path(it.find("sums.fp32")).readText() })
        assertEquals(emptyList(), problems)
    }

    @Test
    fun `a broken bundle is one sentence and costs no other`() {
        install("sums")
        val broken = install("spots")
        File(broken, "artifacts/spots.fp32").appendText("more")
        assertEquals(listOf("sums"), all().map { it.bundle.spec.name })
        assertEquals(1, problems.size)
        assertContains(problems.single(), "spots.fp32: has")
        File(broken, "artifacts/spots.fp32").delete()
        problems.clear()
        all()
        assertContains(problems.single(), "bundles/spots")
        File(broken, "manifest.json").writeText("{")
        problems.clear()
        all()
        assertContains(problems.single(), "bundles/spots/manifest.json: not a JSON document")
        assertEquals(1, File(files, "installed").list()?.size)
    }

    @Test
    fun `a packed bundle is kept, found again and wins over the app's own`() {
        install("sums")
        val other = writeBundle(temporary.newFolder(), "sums", seed = 1)
        val taken = bundles().take(picked("sums.zip", packed(other)))
        assertEquals("sums" to true, taken.bundle.spec.name to taken.opened)
        assertEquals(listOf("sums" to true), all().map { it.bundle.spec.name to it.opened })
        assertEquals(File(other, "manifest.json").readText(), File(taken.bundle.folder, "manifest.json").readText())
        assertEquals(emptyList(), cache.list()?.toList())
        // The same again, and another of the same name.
        bundles().take(picked("sums.zip", packed(other)))
        val third = writeBundle(temporary.newFolder(), "sums", seed = 2)
        val again = bundles().take(picked("sums.zip", packed(third)))
        assertEquals(File(third, "manifest.json").readText(), File(again.bundle.folder, "manifest.json").readText())
        assertEquals(listOf("sums"), File(files, "opened").list()?.toList())
    }

    @Test
    fun `a bundle that is removed is gone, and the app's own of its name is there again`() {
        install("sums")
        val other = writeBundle(temporary.newFolder(), "sums", seed = 1)
        val taken = bundles().take(picked("sums.zip", packed(other))).bundle.folder
        taken.copyRecursively(File(taken.path + ".old"))
        bundles().remove("sums")
        assertEquals(listOf("sums" to false), all().map { it.bundle.spec.name to it.opened })
        assertEquals(emptyList(), taken.parentFile.list()?.toList())
        // The app's own stays.
        bundles().remove("sums")
        assertEquals(1, all().size)
    }

    @Test
    fun `a corrupt file is one sentence with its name, and nothing is left of it`() {
        val whole = packed(writeBundle(temporary.newFolder(), "sums"))
        val kept = bundles().take(picked("sums.zip", whole)).bundle
        val before = left()
        val flipped = whole.copyOf().apply { this[size / 3] = (this[size / 3] + 1).toByte() }
        val damages = listOf(ByteArray(0), "no zip".encodeToByteArray(), whole.copyOf(whole.size / 2), flipped)
        for (bytes in damages) {
            val refused = assertFailsWith<SamesightError> { bundles().take(picked("mine.zip", bytes)) }
            assertTrue(refused.message.startsWith("mine.zip"), refused.message)
            assertFalse(cache.path in refused.message || "\n" in refused.message, refused.message)
            assertEquals(before, left())
        }
        assertEquals(kept.manifestSha256(), all().single().bundle.manifestSha256())
    }

    @Test
    fun `a file that is too large is not read at all`() {
        var reads = 0
        fun refusal(bytes: Long?, packed: ByteArray = ByteArray(0)): String {
            val picked = Picked({ "mine.zip" }, { bytes }) { packed.inputStream().also { reads++ } }
            return assertFailsWith<SamesightError> { bundles().take(picked) }.message
        }
        assertEquals("mine.zip: has more than 2147483647 bytes; not a packed bundle", refusal(1L shl 31))
        room = 60_000_000
        assertEquals("mine.zip: needs 77 MB, and 60 MB are free; make room", refusal(30_000_000))
        assertEquals(0, reads)
        // A provider that does not say how much it gives.
        room = 1_000_000
        val whole = packed(writeBundle(temporary.newFolder(), "sums"))
        assertEquals("mine.zip: needs 17 MB, and 1 MB are free; make room", refusal(null, whole))
        assertEquals(1, reads)
        assertEquals(emptySet(), left())
        room = 40_000_000
        assertEquals("sums", bundles().take(picked("mine.zip", whole)).bundle.spec.name)
    }

    @Test
    fun `a bundle is moved to its place, and its files are those that were unpacked`() {
        val taken = bundles().take(picked("sums.zip", packed(writeBundle(temporary.newFolder(), "sums")))).bundle
        assertEquals(File(files, "opened/sums"), taken.folder)
        assertEquals("weights of sums.fp32", taken.path(taken.find("sums.fp32")).readText())
        assertEquals(listOf("opened"), files.list()?.toList())
        assertEquals(emptyList(), cache.list()?.toList())
    }

    @Test
    fun `a file that cannot be read is one sentence`() {
        val gone = Picked({ "mine.zip" }) { throw IOException("the provider is gone") }
        assertContains(assertFailsWith<SamesightError> { bundles().take(gone) }.message, "mine.zip: cannot be read")
        val denied = Picked({ "mine.zip" }) { throw SecurityException("no grant") }
        assertContains(assertFailsWith<SamesightError> { bundles().take(denied) }.message, "may not read it")
        assertEquals(emptySet(), left())
    }
}
