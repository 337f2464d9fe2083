import Foundation

/// Documents of a pack whose lengths its manifest does not know.
private let unsized = [manifestFile, verdictsFile, signatureFile]
private let kindBits = 0xf000
private let regularKind = 0x8000

/// Unpacks a packed bundle; what its manifest does not vouch for is refused and nothing is left behind.
///
/// - Parameters:
///   - archive: what `samesight pack` wrote.
///   - folder: takes the bundle; one that is there is replaced.
/// - Throws: ``SamesightError`` not a zip, damaged, a path that leaves the folder, a link, a file that is unlisted, there
///   twice or longer than declared, or a bundle that does not pass its checks.
public func unpackBundle(_ archive: String, _ folder: String) throws {
    if fileKind(archive) == .folder { throw SamesightError("\(archive): is a folder, not a packed bundle") }
    try checkPlain(archive)
    if fileKind(archive) == .nothing {
        throw SamesightError("\(archive): no such file; `samesight pack BUNDLE` makes one")
    }
    let file = try reading(archive) { try FileReader(archive) }
    let entries = try damaged(archive) { try zipEntries(file) }
    let manifest = try parseManifest(document(file, entries, manifestFile, archive), "\(archive): \(manifestFile)")
    try checkDeclared(manifest, archive)
    let declared = Dictionary(manifest.files.map { (Exact($0.path), $0.bytes) }) { $1 }
    try replacingBundle(folder) { new in
        for entry in entries {
            let path = try checked(entry, archive)
            try checkLength(entry, declared[Exact(path)], archive)
            try write(entry, file, archive, "\(new)/\(path)")
        }
    }
}

/// What goes wrong with reading is the archive's fault, with writing the folder's.
private func write(_ entry: ZipEntry, _ file: FileReader, _ archive: String, _ path: String) throws {
    try makeFolder(folderOf(path))
    let writer = try FileWriter(path)
    var unwritten: (any Error)?
    try damaged(archive) {
        try entry.read(file) {
            do {
                if unwritten == nil { try writer.write($0) }
            } catch {
                unwritten = error
            }
        }
    }
    if let unwritten { throw unwritten }
}

/// The path of what a file stands in.
private func folderOf(_ path: String) -> String {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropLast()
    return parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
}

private func damaged<T>(_ archive: String, _ read: () throws -> T) throws -> T {
    do {
        return try read()
    } catch let problem as FileProblem {
        throw SamesightError("\(archive): damaged or not a packed bundle (\(problem.reason)); get the file again")
    }
}

private func document(_ file: FileReader, _ entries: [ZipEntry], _ name: String, _ archive: String) throws -> [UInt8] {
    guard let entry = entries.first(where: { same($0.name, name) }) else {
        throw SamesightError("\(archive): has no \(name), so it is no packed bundle")
    }
    if entry.size > documentBytes {
        throw SamesightError(
            "\(archive): its \(name) has more than \(grouped(documentBytes)) bytes; not a bundle of ours")
    }
    var content: [UInt8] = []
    try damaged(archive) { try entry.read(file) { content.append(contentsOf: $0) } }
    return content
}

private func checked(_ entry: ZipEntry, _ archive: String) throws -> String {
    let kind = entry.mode & kindBits
    if entry.name.utf8.last == UInt8(ascii: "/") || kind != 0 && kind != regularKind {
        throw SamesightError(
            "\(archive): \(entry.name) is a link or a folder entry; a packed bundle has plain files")
    }
    if let problem = checkRelative(entry.name) { throw SamesightError("\(archive): \(problem); refused") }
    return entry.name
}

private func checkLength(_ entry: ZipEntry, _ declared: Int?, _ archive: String) throws {
    let limit = declared ?? (unsized.contains { same($0, entry.name) } ? documentBytes : -1)
    if entry.size > limit {
        let what = limit < 0 ? "is not listed in its manifest" : "is longer than its manifest declares"
        throw SamesightError("\(archive): \(entry.name) \(what); get the file again")
    }
}
