package samesight.app

import java.io.File
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.Signature
import java.security.spec.ECGenParameterSpec
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import samesight.contract.SamesightError
import samesight.contract.fileSha256

/** An app that was built with a key opens packs that were signed with it, and no others. */
class SignedPacksTest {
    @get:Rule val temporary = TemporaryFolder()
    private val root by lazy { temporary.newFolder("assets") }
    private val files by lazy { temporary.newFolder("files") }
    private val cache by lazy { temporary.newFolder("cache") }
    private val keys = newKeys()

    private fun bundles() = Bundles(FolderAssets(root), files, cache)

    private fun require(keys: KeyPair) = File(root, "pack-key.der").writeBytes(keys.public.encoded)

    private fun signed(version: Long, seed: Int = 0, keys: KeyPair = this.keys, model: String = "sums"): File {
        val folder = writeBundle(temporary.newFolder(), "sums", passed = mapOf("sums.fp32" to true), seed = seed)
        return folder.also { sign(it, version, keys, model) }
    }

    private fun take(folder: File) = bundles().take(picked("mine.zip", packed(folder)))

    private fun refused(folder: File): String = assertFailsWith<SamesightError> { take(folder) }.message

    @Test
    fun `without a key every whole pack is taken`() {
        take(writeBundle(temporary.newFolder(), "sums"))
        take(signed(3, seed = 1))
        take(signed(2, seed = 2, keys = newKeys()))
    }

    @Test
    fun `with a key signed packs are taken, and newer ones replace them`() {
        require(keys)
        take(signed(7))
        take(signed(7))
        take(signed(8, seed = 1))
        assertEquals(listOf("sums"), bundles().all { error(it) }.map { it.bundle.spec.name })
    }

    @Test
    fun `with a key nothing else is taken, and what is there stays`() {
        require(keys)
        val kept = take(signed(7)).bundle.manifestSha256()
        assertContains(refused(writeBundle(temporary.newFolder(), "sums")), "mine.zip: is not signed, and only packs")
        assertContains(refused(signed(9, keys = newKeys())), "mine.zip: is signed by key")
        assertContains(refused(signed(6, seed = 1)), "mine.zip: is version 6 of sums, and version 7 is there")
        assertContains(refused(signed(7, seed = 1)), "only a newer one is taken")
        assertContains(refused(signed(9, model = "other")), "its signature is for the model other, and it is of sums")
        val changed = signed(9)
        File(changed, "parity.json").appendText(" ")
        assertContains(refused(changed), "mine.zip: was changed after it was signed (parity.json differs)")
        assertEquals(kept, bundles().all { error(it) }.single().bundle.manifestSha256())
    }

    @Test
    fun `what was opened before the app had a key is not used`() {
        take(writeBundle(temporary.newFolder(), "sums"))
        require(keys)
        val problems = mutableListOf<String>()
        assertEquals(emptyList(), bundles().all { problems += it })
        assertContains(problems.single(), "sums: is not signed")
        take(signed(1))
        assertEquals(1, bundles().all { error(it) }.size)
    }

    @Test
    fun `the app's own bundles need no signature`() {
        writeBundle(File(root, "bundles/sums"), "sums")
        require(keys)
        assertEquals(1, bundles().all { error(it) }.size)
    }
}

private fun newKeys(): KeyPair =
    KeyPairGenerator.getInstance("EC").also { it.initialize(ECGenParameterSpec("secp256r1")) }.generateKeyPair()

private fun hexadecimal(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }

/** As `samesight pack --sign` does. */
private fun sign(folder: File, version: Long, keys: KeyPair, model: String) {
    val hashes = listOf("manifest", "parity").joinToString { "\"${it}_sha256\": \"${fileSha256(File(folder, "$it.json"))}\"" }
    val statement = "{\"schema_version\": 1, \"model\": \"$model\", \"version\": $version, $hashes}"
    val signer = Signature.getInstance("SHA256withECDSA")
    signer.initSign(keys.private)
    signer.update(statement.encodeToByteArray())
    val escaped = statement.replace("\"", "\\\"")
    File(folder, "signature.json").writeText(
        "{\"schema_version\": 1, \"statement\": \"$escaped\", " +
            "\"public_key\": \"${hexadecimal(keys.public.encoded)}\", \"signature\": \"${hexadecimal(signer.sign())}\"}",
    )
}
