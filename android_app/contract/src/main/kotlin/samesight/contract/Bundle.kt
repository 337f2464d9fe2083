package samesight.contract

import java.io.File
import java.io.IOException

const val MANIFEST = "manifest.json"
const val VERDICTS = "parity.json"
const val REPORT = "report.html"
private val UNLISTED = setOf(MANIFEST, VERDICTS, REPORT, SIGNATURE)

/** An opened bundle: every file that the manifest lists was there, with its length and hash. */
class Bundle(val folder: File, val spec: ModelSpec, val manifest: Manifest) {
    /**
     * The artifact of that name.
     *
     * @throws SamesightError there is none; the sentence lists those that there are.
     */
    fun find(name: String): Artifact =
        manifest.artifacts.find { it.name == name }
            ?: throw SamesightError(
                "$folder: no artifact ${quoted(name)}; it has ${manifest.artifacts.joinToString { it.name }}",
            )

    /** Where the artifact's file (or folder) is. */
    fun path(artifact: Artifact): File = File(folder, artifact.file)

    /** What tells the artifact's content from any other: its file's hash, or the hash of those of its folder. */
    fun sha256(artifact: Artifact): String {
        val hashes = manifest.files.filter { belongs(it.path, artifact) }.map { it.sha256 }
        return hashes.singleOrNull() ?: sha256(hashes.joinToString("").encodeToByteArray())
    }

    /** All golden cases, with images, input tensors, raw outputs and answers. */
    fun goldenCases(): List<GoldenCase> = readCases(folder)

    /** What `parity.json` names to say which bundle it judged. */
    fun manifestSha256(): String = fileSha256(File(folder, MANIFEST))

    /** The verdicts on this very bundle; null where there are none or they judged another manifest. */
    fun verdicts(): Verdicts? {
        val file = File(folder, VERDICTS)
        if (!file.exists()) return null
        return readDocument("Verdicts", file, ::verdicts).takeIf { it.manifestSha256 == manifestSha256() }
    }
}

/**
 * Opens and checks a bundle; an exchange that was interrupted is finished or rolled back first.
 *
 * @throws SamesightError not a bundle, of a newer schema, or a file is missing, changed, too many or a link.
 */
fun openBundle(folder: File): Bundle {
    recover(folder, ::isWhole)
    if (folder.isFile) {
        throw SamesightError("$folder: is a file; if it is a packed bundle, `samesight pack --unpack` opens it")
    }
    if (!folder.isDirectory) {
        throw SamesightError("$folder: no such bundle; `samesight convert RUN --out $folder` makes one")
    }
    if (!File(folder, MANIFEST).isFile) {
        throw SamesightError("$folder: not a bundle (it has no $MANIFEST); `samesight convert` makes one")
    }
    val manifest = readDocument("Manifest", File(folder, MANIFEST), ::manifest)
    checkDeclared(manifest, folder.path)
    checkFiles(folder, manifest)
    val spec = readSpec(File(folder, "model.json"))
    if (spec.name != manifest.model) {
        throw SamesightError(
            "$folder: model.json is of ${quoted(spec.name)}, the manifest of ${quoted(manifest.model)}; make it anew",
        )
    }
    return Bundle(folder, spec, manifest)
}

/**
 * Gives [fill] an empty folder; what it wrote there replaces the bundle at [folder] when it passes [openBundle].
 *
 * @return the bundle that is there now; it was read once.
 * @throws SamesightError [folder] exists and is not a bundle, or what was written does not pass the checks.
 */
fun replacingBundle(folder: File, fill: (File) -> Unit): Bundle {
    checkOurs(folder)
    lateinit var made: Bundle
    replacing(folder, ::isWhole) {
        fill(it)
        made = openBundle(it)
    }
    return Bundle(folder, made.spec, made.manifest)
}

/**
 * Replaces the bundle at [folder] by an opened one, without a copy: both are on one file system.
 *
 * @return the bundle that is there now.
 * @throws SamesightError [folder] exists and is not a bundle, or the place is not writable.
 */
fun moveBundle(bundle: Bundle, folder: File): Bundle {
    checkOurs(folder)
    replacing(folder, ::isWhole) { new ->
        if (!new.delete() || !bundle.folder.renameTo(new)) throw IOException("it cannot be moved here")
    }
    return Bundle(folder, bundle.spec, bundle.manifest)
}

private fun checkOurs(folder: File) {
    val ours = folder.isDirectory && (File(folder, MANIFEST).isFile || folder.list().isNullOrEmpty())
    if (folder.exists() && !ours) {
        throw SamesightError("$folder: exists and is not a bundle, so it is left alone; choose another --out")
    }
}

/**
 * Compares what a manifest declares with the limits, and with itself, before any file is read.
 *
 * @throws SamesightError more files or bytes than a bundle has, or an artifact of another length than its files.
 */
internal fun checkDeclared(manifest: Manifest, source: String) {
    val lengths = manifest.files.map { it.bytes }
    // Each length by itself first: a sum of many could pass the end of 64 bits.
    if (lengths.any { it > BUNDLE_BYTES } || lengths.sum() > BUNDLE_BYTES) {
        throw SamesightError("$source: declares more than ${grouped(BUNDLE_BYTES)} bytes; not a bundle of ours")
    }
    if (lengths.size > BUNDLE_FILES) {
        val most = grouped(BUNDLE_FILES.toLong())
        throw SamesightError("$source: declares more than $most files; not a bundle of ours")
    }
    for (artifact in manifest.artifacts) {
        val size = manifest.files.filter { belongs(it.path, artifact) }.sumOf { it.bytes }
        if (artifact.bytes != size) {
            throw SamesightError(
                "$source: artifact ${artifact.name} has $size bytes, the manifest says ${artifact.bytes}; make it anew",
            )
        }
    }
}

private fun isWhole(folder: File): Boolean =
    try {
        checkFiles(folder, readDocument("Manifest", File(folder, MANIFEST), ::manifest))
        true
    } catch (_: SamesightError) {
        false
    }

private fun checkFiles(folder: File, manifest: Manifest) {
    try {
        val present = regularFiles(folder, "").toSet()
        val listed = manifest.files.map { it.path }.toSet()
        for (path in (present - listed - UNLISTED).sorted()) {
            throw SamesightError("${File(folder, path)}: not listed in $MANIFEST; take it out or make the bundle anew")
        }
        for (entry in manifest.files) checkFile(File(folder, entry.path), entry, present)
    } catch (error: IOException) {
        throw SamesightError("$folder: cannot be read (${error.message}); check its permissions")
    }
}

/** Paths of all files below [folder], sorted; links and special files are refused. */
private fun regularFiles(folder: File, prefix: String): List<String> {
    val children = folder.listFiles() ?: throw IOException("$folder cannot be listed")
    return children.sortedBy { it.name }.flatMap {
        if (isLink(it) || !it.isDirectory && !it.isFile) {
            throw SamesightError("$it: a bundle holds plain files and folders only; take this out")
        }
        if (it.isDirectory) regularFiles(it, "$prefix${it.name}/") else listOf(prefix + it.name)
    }
}

private fun checkFile(file: File, entry: FileEntry, present: Set<String>) {
    if (entry.path !in present) {
        throw SamesightError("$file: missing; copy the whole bundle again or make it anew")
    }
    if (file.length() != entry.bytes) {
        throw SamesightError(
            "$file: has ${file.length()} bytes, the manifest says ${entry.bytes}; copy it again or make it anew",
        )
    }
    if (fileSha256(file) != entry.sha256) {
        throw SamesightError("$file: its content was changed (SHA-256 differs); copy it again or make it anew")
    }
}
