"""How large files may be before anything is read of them: one table for Python and the apps.

The limits stand far above what a phone's model needs, and far below what fills a computer's memory. `Limits.kt` has
the same numbers.
"""

MIB = 1 << 20

# A JSON document of a bundle or a run: model.json, manifest.json, parity.json, golden/cases.json …
DOCUMENT_BYTES = 64 * MIB
# All files of a bundle together, and so a packed bundle.
BUNDLE_BYTES = (1 << 31) - 1
# Files that a manifest lists, and entries of a packed bundle.
BUNDLE_FILES = 65_535
# One file of a golden case: 178,956,970 pixels of RGB and eight bytes of header.
GOLDEN_FILE_BYTES = 178_956_970 * 3 + 8
# Golden cases of a bundle.
GOLDEN_CASES = 10_000
# An exported program, a TorchScript file, and all that is inside of it.
NETWORK_BYTES = (1 << 32) - 1
NETWORK_FILES = 65_535
