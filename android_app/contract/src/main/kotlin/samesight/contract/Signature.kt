package samesight.contract

import java.io.File
import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.Signature as Verifier
import java.security.spec.X509EncodedKeySpec

const val SIGNATURE = "signature.json"

/** A public key of the curve P-256 (RFC 5480): what is the same in all of them, before the point's two coordinates. */
private const val PUBLIC_KEY_PREFIX = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
private val PUBLIC_KEY = Regex("$PUBLIC_KEY_PREFIX[0-9a-f]{128}")
private val SIGNATURE_TEXT = Regex("([0-9a-f]{2}){8,80}")
private val MODEL_NAME = Regex("[a-z0-9][a-z0-9_-]{0,63}")
private const val LONGEST_STATEMENT = 10_000

/** What is signed: [paritySha256] is null for a pack without verdicts, and the greater [version] is newer. */
data class Statement(val model: String, val version: Long, val manifestSha256: String, val paritySha256: String?)

/** A key that packs are held to; [text] is its DER form in hexadecimal digits. */
data class PublicKey(val text: String) {
    /** The first 16 of the 64 hexadecimal digits of the SHA-256 of the key's DER form. */
    val fingerprint: String
        get() = sha256(bytes(text)).take(16)

    companion object {
        /**
         * The key of its DER form.
         *
         * @throws SamesightError it is no key of the curve P-256.
         */
        fun of(der: ByteArray, source: String): PublicKey {
            val text = hexadecimal(der)
            if (!PUBLIC_KEY.matches(text)) throw SamesightError("$source: is no public key for packs")
            return PublicKey(text)
        }
    }
}

private class SignatureFields(val statement: String, val publicKey: String, val signature: String)

/**
 * Checks that a bundle was signed as it is; gives what the signature states.
 *
 * @param folder of the bundle.
 * @param source begins the error message.
 * @param key who has to have signed it; without one, whoever signed it is taken.
 * @throws SamesightError not signed, by another key, or changed since; one sentence.
 */
fun checkSignature(folder: File, source: String, key: PublicKey? = null): Statement {
    val file = File(folder, SIGNATURE)
    if (!file.exists()) {
        val taken = if (key == null) "" else ", and only packs signed by key ${key.fingerprint} are taken"
        throw SamesightError("$source: is not signed$taken")
    }
    val signature = readDocument("Signature", file, ::signatureFields)
    val found = PublicKey(signature.publicKey)
    if (key != null && found != key) {
        throw SamesightError("$source: is signed by key ${found.fingerprint}, and only ${key.fingerprint} is taken")
    }
    if (!holds(signature)) {
        throw SamesightError("$source: its signature does not hold; $SIGNATURE was changed, get the file again")
    }
    val text = signature.statement.encodeToByteArray()
    val statement = parseDocument("Statement", text, "$source: $SIGNATURE", ::statement)
    if (statement.manifestSha256 != fileSha256(File(folder, MANIFEST))) throw changed(source, MANIFEST)
    val verdicts = File(folder, VERDICTS)
    if (statement.paritySha256 != if (verdicts.exists()) fileSha256(verdicts) else null) throw changed(source, VERDICTS)
    return statement
}

/** @throws SamesightError the signature is for another model. */
fun checkModel(statement: Statement, model: String, source: String) {
    if (statement.model != model) {
        throw SamesightError("$source: its signature is for the model ${statement.model}, and it is of $model")
    }
}

/** @throws SamesightError a pack is older than the one that is there, or another of the same version. */
fun checkNewer(statement: Statement, present: Statement, source: String) {
    val older = statement.version < present.version
    if (older || statement.version == present.version && statement != present) {
        throw SamesightError(
            "$source: is version ${statement.version} of ${statement.model}, and version ${present.version} is there; " +
                "only a newer one is taken",
        )
    }
}

private fun changed(source: String, name: String) =
    SamesightError("$source: was changed after it was signed ($name differs); get the file again")

private fun holds(signature: SignatureFields): Boolean =
    try {
        val key = KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(bytes(signature.publicKey)))
        val verifier = Verifier.getInstance("SHA256withECDSA")
        verifier.initVerify(key)
        verifier.update(signature.statement.encodeToByteArray())
        verifier.verify(bytes(signature.signature))
    } catch (_: GeneralSecurityException) {
        false
    }

private fun signatureFields(fields: Fields) =
    SignatureFields(
        statement = fields.required("statement") { text(length = 1..LONGEST_STATEMENT) },
        publicKey = fields.required("public_key") { text(PUBLIC_KEY) },
        signature = fields.required("signature") { text(SIGNATURE_TEXT) },
    )

private fun statement(fields: Fields) =
    Statement(
        model = fields.required("model") { text(MODEL_NAME) },
        version = fields.required("version") { whole(1) },
        manifestSha256 = fields.required("manifest_sha256") { sha256() },
        paritySha256 = fields.nullable("parity_sha256") { sha256() },
    )

/** The bytes of pairs of hexadecimal digits. */
private fun bytes(text: String): ByteArray = ByteArray(text.length / 2) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
