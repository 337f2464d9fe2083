/// What runs an artifact on a phone.
public enum ComputeUnit: String, CaseIterable, Sendable {
    case cpu, gpu, npu
}

/// Whose apps load an artifact.
public enum Platform: String, CaseIterable, Sendable {
    case android, ios
}

public enum Dtype: String, CaseIterable, Sendable {
    case int8, uint8, float16, float32
}

/// One file of the bundle: its length and content hash.
public struct FileEntry: Sendable {
    public let path: String
    public let bytes: Int
    public let sha256: String
}

/// One input or output of an artifact.
public struct TensorInfo: Sendable {
    public let name: String
    /// nil for the image.
    public let role: Role?
    public let shape: [Int]
    /// The one at the artifact's border. With a scale, real = (q - zeroPoint) * scale in float32.
    public let dtype: Dtype
    /// `nhwc`, `nchw` or empty.
    public let layout: String
    public let scale: Double?
    public let zeroPoint: Int?
    /// The format's own name for the tensor where it differs from `name`.
    public let signature: String?

    init(
        name: String, role: Role?, shape: [Int], dtype: Dtype, layout: String, scale: Double?, zeroPoint: Int?,
        signature: String?
    ) throws {
        self.name = name
        self.role = role
        self.shape = shape
        self.dtype = dtype
        self.layout = layout
        self.scale = scale
        self.zeroPoint = zeroPoint
        self.signature = signature
        try require(
            (scale == nil) == (zeroPoint == nil), "tensor \(quoted(name)) has only one of scale and zero_point")
    }
}

/// Operators of one kind that an NPU leaves to the CPU, and why.
public struct LeftOperator: Sendable {
    public let kind: String
    public let count: Int
    public let reason: String
}

/// What an NPU takes of a network that was compiled ahead of time: its operators, in so many pieces, but `left`.
public struct Plan: Sendable {
    public let pieces: Int
    public let operators: Int
    public let left: [LeftOperator]
}

/// One file (or, for Core ML, one folder) of one format at one precision for one unit; `platforms` load it.
public struct Artifact: Sendable {
    public let name: String
    public let file: String
    public let format: String
    public let precision: String
    public let unit: ComputeUnit
    public let platforms: [Platform]
    public let runtime: String
    public let runtimeVersion: String
    public let osMinimum: [String: String]
    /// The chips that can run it, as Android names them; empty where that is not known to be limited.
    public let soc: [String]
    public let inputLayout: TensorLayout
    public let input: TensorInfo
    public let outputs: [TensorInfo]
    public let tools: [String: String]
    /// The share of operators that a delegate or an NPU takes; `plan` is more of an NPU's.
    public let delegated: Double?
    public let plan: Plan?
    public let bytes: Int
}

/// Where the test split comes from and what the server model scores on it.
public struct DataSource: Sendable {
    public let source: String
    public let seed: Int
    public let metricName: String?
    public let metric: Double?
}

/// Everything in a bundle; `files` lists all but manifest.json, parity.json, signature.json and report.html.
public struct Manifest: Sendable {
    public let model: String
    public let samesight: String
    public let data: DataSource?
    public let artifacts: [Artifact]
    public let files: [FileEntry]

    init(model: String, samesight: String, data: DataSource?, artifacts: [Artifact], files: [FileEntry]) throws {
        self.model = model
        self.samesight = samesight
        self.data = data
        self.artifacts = artifacts
        self.files = files
        try require(Set(files.map { Exact($0.path) }).count == files.count, "a file is listed twice")
        try require(
            Set(artifacts.map { Exact($0.name) }).count == artifacts.count, "two artifacts have the same name")
        for artifact in artifacts {
            try require(
                files.contains { belongs($0.path, artifact) },
                "artifact \(quoted(artifact.name)): its file \(quoted(artifact.file)) is not listed")
        }
    }
}

/// Whether a file of the bundle is the artifact's file or inside its folder.
public func belongs(_ path: String, _ artifact: Artifact) -> Bool {
    let rest = path.utf8.dropFirst(artifact.file.utf8.count)
    return path.utf8.starts(with: artifact.file.utf8) && (rest.isEmpty || rest.first == UInt8(ascii: "/"))
}

/// What is wrong with a path inside a bundle; nil for a relative one, with '/', without '..', drive or empty part.
func checkRelative(_ path: String) -> String? {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let isForeign = path.utf8.contains { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: ":") }
    if isForeign || isUnprintable(path) || parts.contains(where: { $0.isEmpty || $0.elementsEqual(".".utf8) }) {
        return "\(quoted(path)) is not a plain path inside the bundle"
    }
    return parts.contains { $0.elementsEqual("..".utf8) } ? "\(quoted(path)) leaves the bundle" : nil
}

/// Reads a manifest from JSON.
///
/// - Throws: ``SamesightError`` not JSON, of a newer schema, or contradicting itself; the sentence begins with `source`.
public func parseManifest(_ text: [UInt8], _ source: String) throws -> Manifest {
    try parseDocument("Manifest", text, source, manifest)
}

private let sha256Text = Pattern.digits("[0-9a-f]{64}", count: 64...64)
private let artifactName = Pattern.name(
    "[A-Za-z0-9][A-Za-z0-9._-]{0,127}", first: lowerCaseLetters + lowerCaseLetters.uppercased() + digitLetters,
    others: lowerCaseLetters + lowerCaseLetters.uppercased() + digitLetters + "._-", most: 127)

private let chipName = Pattern.name(
    "[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}", first: lowerCaseLetters + lowerCaseLetters.uppercased() + digitLetters,
    others: lowerCaseLetters + lowerCaseLetters.uppercased() + digitLetters + " ._+-", most: 63)

func sha256(_ value: Value) throws -> String { try value.text(sha256Text) }

func bundlePath(_ value: Value) throws -> String {
    let path = try value.text(length: 1...500)
    if let problem = checkRelative(path) { throw value.wrong(problem) }
    return path
}

func text(_ value: Value) throws -> String { try value.text() }

func manifest(_ fields: Fields) throws -> Manifest {
    try Manifest(
        model: fields.required("model", text),
        samesight: fields.required("samesight", text),
        data: fields.optional("data") { try $0.fields("DataSource", dataSource) },
        artifacts: fields.required("artifacts") { try $0.list { try $0.fields("Artifact", artifact) } },
        files: fields.required("files") { try $0.list { try $0.fields("FileEntry", fileEntry) } })
}

private func fileEntry(_ fields: Fields) throws -> FileEntry {
    try FileEntry(
        path: fields.required("path", bundlePath),
        bytes: fields.required("bytes") { try $0.whole(0) },
        sha256: fields.required("sha256", sha256))
}

private func artifact(_ fields: Fields) throws -> Artifact {
    try Artifact(
        name: fields.required("name") { try $0.text(artifactName) },
        file: fields.required("file", bundlePath),
        format: fields.required("format", text),
        precision: fields.required("precision", text),
        unit: fields.optional("unit", .cpu) { try $0.choice() },
        platforms: fields.optional("platforms", []) { try $0.list { try $0.choice() } },
        runtime: fields.required("runtime", text),
        runtimeVersion: fields.required("runtime_version", text),
        osMinimum: fields.optional("os_minimum", [:], texts),
        soc: fields.optional("soc") { try $0.list { try $0.text(chipName) } } ?? [],
        inputLayout: fields.required("input_layout") { try $0.choice() },
        input: fields.required("input") { try $0.fields("TensorInfo", tensorInfo) },
        outputs: fields.required("outputs") { try $0.list { try $0.fields("TensorInfo", tensorInfo) } },
        tools: fields.required("tools", texts),
        delegated: fields.optional("delegated") { try $0.fraction() },
        plan: fields.optional("plan") { try $0.fields("Plan", plan) },
        bytes: fields.required("bytes") { try $0.whole(0) })
}

private func plan(_ fields: Fields) throws -> Plan {
    try Plan(
        pieces: fields.required("pieces") { try $0.int() },
        operators: fields.required("operators") { try $0.int() },
        left: fields.optional("left", []) { try $0.list { try $0.fields("LeftOperator", leftOperator) } })
}

private func leftOperator(_ fields: Fields) throws -> LeftOperator {
    try LeftOperator(
        kind: fields.required("kind", text),
        count: fields.required("count") { try $0.int() },
        reason: fields.required("reason", text))
}

private func texts(_ value: Value) throws -> [String: String] { Dictionary(try value.map(text)) { $1 } }

private func tensorInfo(_ fields: Fields) throws -> TensorInfo {
    try TensorInfo(
        name: fields.required("name", text),
        role: fields.required("role", imageOrRole),
        shape: fields.required("shape") { try $0.list { try $0.int() } },
        dtype: fields.required("dtype") { try $0.choice() },
        layout: fields.optional("layout", "") { try $0.oneOf(["nhwc", "nchw", ""]) },
        scale: fields.optional("scale") { try $0.number() },
        zeroPoint: fields.optional("zero_point") { try $0.int() },
        signature: fields.optional("signature", text))
}

/// nil for `image`.
private func imageOrRole(_ value: Value) throws -> Role? {
    guard case .text(let name) = value.json,
        let found = (["image"] + Role.allCases.map(\.rawValue)).first(where: { same($0, name) })
    else {
        // pydantic's complaint about a union is that of its first member.
        throw Value(json: value.json, path: value.inside("literal['image']")).wrong("Input should be 'image'")
    }
    return Role(rawValue: found)
}

private func dataSource(_ fields: Fields) throws -> DataSource {
    let source = try fields.required("source", text)
    let seed = try fields.required("seed") { try $0.whole() }
    _ = try fields.optional("split", "test") { try $0.oneOf(["test"]) }
    return DataSource(
        source: source, seed: seed, metricName: try fields.optional("metric_name", text),
        metric: try fields.optional("metric") { try $0.number() })
}
