import Foundation

public let manifestFile = "manifest.json"
public let verdictsFile = "parity.json"
public let reportFile = "report.html"
private let unlisted = [manifestFile, verdictsFile, reportFile, signatureFile].map(Exact.init)

/// An opened bundle: every file that the manifest lists was there, with its length and hash.
public struct ModelBundle: Sendable {
    public let folder: String
    public let spec: ModelSpec
    public let manifest: Manifest

    /// The artifact of that name.
    ///
    /// - Throws: ``SamesightError`` there is none; the sentence lists those that there are.
    public func find(_ name: String) throws -> Artifact {
        if let found = manifest.artifacts.first(where: { same($0.name, name) }) { return found }
        let names = manifest.artifacts.map(\.name).joined(separator: ", ")
        throw SamesightError("\(folder): no artifact \(quoted(name)); it has \(names)")
    }

    /// Where the artifact's file (or folder) is.
    public func path(_ artifact: Artifact) -> String { "\(folder)/\(artifact.file)" }

    /// All golden cases, with images, input tensors, raw outputs and answers.
    public func goldenCases() throws -> [GoldenCase] { try readCases(folder) }

    /// What `parity.json` names to say which bundle it judged.
    public func manifestSha256() throws -> String {
        let file = "\(folder)/\(manifestFile)"
        return try reading(file) { try fileSha256(file) }
    }

    /// The verdicts on this very bundle; nil where there are none or they judged another manifest.
    public func verdicts() throws -> Verdicts? {
        let file = "\(folder)/\(verdictsFile)"
        if fileKind(file) == .nothing { return nil }
        let found = try readDocument("Verdicts", file, Contract.verdicts)
        return same(found.manifestSha256, try manifestSha256()) ? found : nil
    }
}

/// Opens and checks a bundle; an exchange that was interrupted is finished or rolled back first.
///
/// - Throws: ``SamesightError`` not a bundle, of a newer schema, or a file is missing, changed, too many or a link.
public func openBundle(_ folder: String) throws -> ModelBundle {
    try recover(folder, complete: isWhole)
    if fileKind(folder) == .file {
        throw SamesightError("\(folder): is a file; if it is a packed bundle, `samesight pack --unpack` opens it")
    }
    if fileKind(folder) != .folder {
        throw SamesightError("\(folder): no such bundle; `samesight convert RUN --out \(folder)` makes one")
    }
    if fileKind("\(folder)/\(manifestFile)") != .file {
        throw SamesightError("\(folder): not a bundle (it has no \(manifestFile)); `samesight convert` makes one")
    }
    let manifest = try readDocument("Manifest", "\(folder)/\(manifestFile)", manifest)
    try checkDeclared(manifest, folder)
    try checkFiles(folder, manifest)
    let spec = try readSpec("\(folder)/model.json")
    if !same(spec.name, manifest.model) {
        throw SamesightError(
            "\(folder): model.json is of \(quoted(spec.name)), the manifest of \(quoted(manifest.model)); make it anew")
    }
    return ModelBundle(folder: folder, spec: spec, manifest: manifest)
}

/// Gives `fill` an empty folder; what it wrote there replaces the bundle at `folder` when it passes ``openBundle(_:)``.
///
/// - Throws: ``SamesightError`` `folder` exists and is not a bundle, or what was written does not pass the checks.
public func replacingBundle(_ folder: String, _ fill: (String) throws -> Void) throws {
    let isEmpty = (try? FileManager.default.contentsOfDirectory(atPath: folder))?.isEmpty == true
    let isOurs = fileKind(folder) == .folder && (fileKind("\(folder)/\(manifestFile)") == .file || isEmpty)
    if fileKind(folder) != .nothing && !isOurs {
        throw SamesightError("\(folder): exists and is not a bundle, so it is left alone; choose another --out")
    }
    try replacing(folder, complete: isWhole) {
        try fill($0)
        _ = try openBundle($0)
    }
}

/// Compares what a manifest declares with the limits, and with itself, before any file is read.
///
/// - Throws: ``SamesightError`` more files or bytes than a bundle has, or an artifact of another length than its files.
func checkDeclared(_ manifest: Manifest, _ source: String) throws {
    let lengths = manifest.files.map(\.bytes)
    // Each length by itself first: a sum of many could pass the end of 64 bits.
    if lengths.contains(where: { $0 > bundleBytes })
        || lengths.reduce(0, { min($0 + $1, bundleBytes + 1) }) > bundleBytes
    {
        throw SamesightError("\(source): declares more than \(grouped(bundleBytes)) bytes; not a bundle of ours")
    }
    if lengths.count > bundleFiles {
        throw SamesightError("\(source): declares more than \(grouped(bundleFiles)) files; not a bundle of ours")
    }
    for artifact in manifest.artifacts {
        let size = manifest.files.filter { belongs($0.path, artifact) }.reduce(0) { $0 + $1.bytes }
        if artifact.bytes != size {
            throw SamesightError(
                "\(source): artifact \(artifact.name) has \(size) bytes, the manifest says \(artifact.bytes); make it anew"
            )
        }
    }
}

@Sendable
private func isWhole(_ folder: String) -> Bool {
    (try? checkFiles(folder, readDocument("Manifest", "\(folder)/\(manifestFile)", manifest))) != nil
}

private func checkFiles(_ folder: String, _ manifest: Manifest) throws {
    let present: Set<Exact>
    do {
        present = Set(try regularFiles(folder, "").map(Exact.init))
        let listed = Set(manifest.files.map { Exact($0.path) })
        let extra = present.subtracting(listed).subtracting(unlisted).map(\.text)
        if let path = extra.min(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            throw SamesightError(
                "\(folder)/\(path): not listed in \(manifestFile); take it out or make the bundle anew")
        }
        for entry in manifest.files { try checkFile("\(folder)/\(entry.path)", entry, present) }
    } catch let problem as FileProblem {
        throw SamesightError("\(folder): cannot be read (\(problem.reason)); check its permissions")
    }
}

/// Paths of all files below `folder`, sorted; links and special files are refused.
private func regularFiles(_ folder: String, _ prefix: String) throws -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
        throw FileProblem(reason: "\(folder) cannot be listed")
    }
    return try names.sorted().flatMap { name in
        switch fileKind("\(folder)/\(name)", following: false) {
        case .folder: return try regularFiles("\(folder)/\(name)", "\(prefix)\(name)/")
        case .file: return [prefix + name]
        default:
            throw SamesightError("\(folder)/\(name): a bundle holds plain files and folders only; take this out")
        }
    }
}

private func checkFile(_ file: String, _ entry: FileEntry, _ present: Set<Exact>) throws {
    if !present.contains(Exact(entry.path)) {
        throw SamesightError("\(file): missing; copy the whole bundle again or make it anew")
    }
    let length = try FileReader(file).length
    if length != entry.bytes {
        throw SamesightError(
            "\(file): has \(length) bytes, the manifest says \(entry.bytes); copy it again or make it anew")
    }
    if try !same(fileSha256(file), entry.sha256) {
        throw SamesightError("\(file): its content was changed (SHA-256 differs); copy it again or make it anew")
    }
}

/// What goes wrong with reading a file that was there a moment ago, as one sentence.
func reading<T>(_ file: String, _ work: () throws -> T) throws -> T {
    do {
        return try work()
    } catch let problem as FileProblem {
        throw SamesightError("\(file): \(problem.reason); is this the right folder?")
    }
}
