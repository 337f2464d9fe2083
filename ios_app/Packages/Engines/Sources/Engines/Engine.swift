import Contract

/// One loaded artifact on one unit. Not for several threads at once; ``ModelHolder`` keeps them apart. Its memory is
/// given back with its last reference.
public protocol Engine: AnyObject {
    /// Whether no other unit can run what was loaded: then the unit asked for is the unit that runs.
    var certain: Bool { get }

    /// Multiply-accumulates of one run; nil where the file does not tell.
    var operations: Int? { get }

    /// Names of the delegates inside an ExecuTorch program; empty for other runtimes.
    var delegates: [String] { get }

    /// Raw outputs of an input tensor uint8 [H, W, C], dequantized.
    ///
    /// - Throws: ``SamesightError`` the tensor or an output is not as the manifest says, or the runtime failed.
    func run(_ tensor: [UInt8]) throws -> [Role: Tensor]

    /// Gives the memory back; a second call does nothing.
    func close()
}

/// How a unit is asked for.
public enum Mode: String, CaseIterable, Codable, Sendable {
    /// By itself, as fast as it can: a GPU computes in float16.
    case alone
    /// A GPU in float32.
    case float32
    /// With the CPU, which takes what the unit cannot: then nothing says that the unit ran at all.
    case withCpu
}

/// An artifact and where it is.
public struct ArtifactFile: Sendable {
    public let artifact: Artifact
    public let path: String
    /// Of its content, which tells it from others in caches.
    public let sha256: String

    public init(artifact: Artifact, path: String, sha256: String) {
        self.artifact = artifact
        self.path = path
        self.sha256 = sha256
    }

    /// An artifact of a bundle: its file's hash, or the hash of those of its folder.
    public init(_ bundle: ModelBundle, _ artifact: Artifact) {
        let hashes = bundle.manifest.files.filter { belongs($0.path, artifact) }.map(\.sha256)
        let all = hashes.count == 1 ? hashes[0] : Contract.sha256(Array(hashes.joined().utf8))
        self.init(artifact: artifact, path: bundle.path(artifact), sha256: all)
    }
}

/// A runtime that loads artifacts.
public protocol Opener: Sendable {
    /// How a unit can be asked for.
    func modes(_ unit: ComputeUnit) -> Set<Mode>

    /// Makes of a file what ``open(_:_:_:)`` takes, such as compiles it, once; off the main actor, for it takes a while.
    ///
    /// - Throws: ``SamesightError`` the file is damaged, or the system is too old for it.
    func prepare(_ file: ArtifactFile) async throws -> ArtifactFile

    /// Loads an artifact for one unit.
    ///
    /// - Parameters:
    ///   - file: as ``prepare(_:)`` gave it.
    ///   - mode: one of ``modes(_:)``.
    /// - Throws: ``SamesightError`` the file is damaged or not for this runtime, or the runtime refuses; with its words.
    func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine

    /// What the runtime plans to run where, in words; nil where it does not tell. A plan says nothing of what ran.
    func plan(_ file: ArtifactFile, _ unit: ComputeUnit) async -> String?
}

extension Opener {
    public func modes(_ unit: ComputeUnit) -> Set<Mode> { [.alone] }

    public func prepare(_ file: ArtifactFile) async throws -> ArtifactFile { file }

    public func plan(_ file: ArtifactFile, _ unit: ComputeUnit) async -> String? { nil }
}

extension ComputeUnit {
    /// For people.
    public var name: String { rawValue.uppercased() }
}

/// - Throws: ``SamesightError`` the artifact is of another format.
public func checkFormat(_ file: ArtifactFile, _ format: String) throws {
    if file.artifact.format != format {
        throw SamesightError(
            "\(file.path): is of format \(file.artifact.format), and this runtime takes \(format); choose another")
    }
}

/// - Throws: ``SamesightError`` a tensor of another length.
public func checkInput(_ artifact: Artifact, _ tensor: [UInt8]) throws {
    let expected = inputSize(artifact)
    if tensor.count != expected {
        throw SamesightError("artifact \(artifact.name): takes \(expected) values, not \(tensor.count)")
    }
}

/// How many values the input tensor has; `bgra8Nhwc` has a fourth channel, which the tensor has not.
public func inputSize(_ artifact: Artifact) -> Int { artifact.input.shape.reduce(1, *) }

/// The shape of an output of so many values.
///
/// - Throws: ``SamesightError`` the manifest says another number.
public func checkOutput(_ artifact: Artifact, _ index: Int, _ count: Int) throws -> [Int] {
    let info = artifact.outputs[index]
    if count != info.shape.reduce(1, *) {
        throw SamesightError(
            "artifact \(artifact.name): output \(info.name) has \(count) values, the manifest says \(info.shape); "
                + "the file is not the one that the manifest describes, make the bundle anew")
    }
    return info.shape
}

/// The outputs' roles in their order.
public func outputRoles(_ artifact: Artifact) throws -> [Role] {
    try artifact.outputs.map { info in
        guard let role = info.role else {
            throw SamesightError("artifact \(artifact.name): output \(info.name) plays no role")
        }
        return role
    }
}

/// - Throws: ``SamesightError`` the model was closed.
public func checkOpen(_ artifact: Artifact, _ isOpen: Bool) throws {
    if !isOpen { throw SamesightError("artifact \(artifact.name): was closed; load it again") }
}
