package samesight.contract

// How large files may be before anything is read of them: one table for Python (`limits.py`) and the apps.

private const val MIB = 1L shl 20

/** A JSON document: model.json, manifest.json, parity.json, signature.json, golden/cases.json. */
internal const val DOCUMENT_BYTES = 64 * MIB

/** All files of a bundle together, and so a packed bundle. */
const val BUNDLE_BYTES = (1L shl 31) - 1

/** Files that a manifest lists, and so entries of a packed bundle. */
internal const val BUNDLE_FILES = 65_535

/** The directory at the end of a packed bundle. */
internal const val ZIP_DIRECTORY_BYTES = 64 * MIB

/** One file of a golden case: 178,956,970 pixels of RGB, as many as an image may have, and a header. */
internal const val GOLDEN_FILE_BYTES = 3L * 178_956_970 + 8

/** Golden cases of a bundle. */
internal const val GOLDEN_CASES = 10_000

/** A number as Python's `:,` writes it. */
internal fun grouped(number: Long): String = "%,d".format(java.util.Locale.ROOT, number)
