// How large files may be before anything is read of them: one table for Python (`limits.py`) and the apps.

private let mib = 1 << 20

/// A JSON document: model.json, manifest.json, parity.json, signature.json, golden/cases.json.
let documentBytes = 64 * mib

/// All files of a bundle together, and so a packed bundle.
public let bundleBytes = (1 << 31) - 1

/// Files that a manifest lists, and so entries of a packed bundle.
let bundleFiles = 65_535

/// The directory at the end of a packed bundle.
let zipDirectoryBytes = 64 * mib

/// One file of a golden case: 178,956,970 pixels of RGB, as many as an image may have, and a header.
let goldenFileBytes = 3 * 178_956_970 + 8

/// Golden cases of a bundle.
let goldenCases = 10_000

/// A number as Python's `:,` writes it.
func grouped(_ number: Int) -> String {
    var digits = String(number)
    var place = digits.utf8.count - 3
    while place > 0 {
        digits.insert(",", at: digits.utf8.index(digits.startIndex, offsetBy: place))
        place -= 3
    }
    return digits
}
