"""How large files may be before anything is read of them: one table for Python and the apps.

The limits stand far above what a phone's model needs, and far below what fills a computer's memory. The apps have
them in `Limits.kt` and `Limits.swift`.
"""

MIB = 1 << 20

# A JSON document: model.json, manifest.json, parity.json, signature.json, golden/cases.json, device-parity.json.
DOCUMENT_BYTES = 64 * MIB
# All files of a bundle in an app together, a packed bundle, and each file of any bundle.
BUNDLE_BYTES = (1 << 31) - 1
# Files that a manifest lists, and so entries of a packed bundle.
BUNDLE_FILES = 65_535
# The directory at the end of a packed bundle.
ZIP_DIRECTORY_BYTES = 64 * MIB
# One file of a golden case: 178,956,970 pixels of RGB, as many as an image may have, and a header.
GOLDEN_FILE_BYTES = 3 * 178_956_970 + 8
# Golden cases of a bundle.
GOLDEN_CASES = 10_000

# All files of a bundle on a computer, where it has every format.
FOLDER_BYTES = 1 << 36
# Read on a computer alone: server.json, with the answers on a whole test split.
TEST_ANSWERS_BYTES = 1024 * MIB
# An exported program or a TorchScript file, and all that is inside of it.
NETWORK_BYTES = (1 << 32) - 1
NETWORK_FILES = 65_535
