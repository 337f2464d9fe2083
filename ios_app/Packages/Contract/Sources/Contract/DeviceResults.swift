public let deviceParityFile = "device-parity.json"
private let deviceParitySchema = 1

/// How sure it is that the unit asked for is the unit that ran.
public enum Proof: String, CaseIterable, Sendable {
    case certain, timing, requested

    /// In words, for people.
    public var text: String {
        switch self {
        case .certain: "certain"
        case .timing: "faster than the CPU can be"
        case .requested: "requested, not proven"
        }
    }
}

/// Milliseconds: to load, of the first run, and the middle one of the later runs.
public struct Times: Hashable, Sendable {
    public let load: Double
    public let first: Double
    public let steady: Double

    public init(load: Double, first: Double, steady: Double) {
        self.load = load
        self.first = first
        self.steady = steady
    }
}

/// What the app's code made of one golden case.
public struct CaseRun: Sendable {
    public let id: String
    /// Which of the case's images: `rgb`, `i420`, `nv12` or `nv21`.
    public let image: String
    /// Of the input tensor's bytes, uint8 [height, width, channels].
    public let tensorSha256: String
    /// Boxes in pixels of the stored image.
    public let answers: [Answer]

    public init(id: String, image: String, tensorSha256: String, answers: [Answer]) {
        self.id = id
        self.image = image
        self.tensorSha256 = tensorSha256
        self.answers = answers
    }
}

/// One artifact on one unit.
public struct UnitRun: Sendable {
    public let artifact: String
    public let unit: ComputeUnit
    /// nil where `refusal` says why the app does not use this unit.
    public var proof: Proof?
    public var refusal: String?
    /// Of an ExecuTorch program.
    public var delegates: [String]
    /// nil where refused.
    public var times: Times?
    /// Than the CPU.
    public var slower: Bool
    /// How the unit was asked for where that is not the usual way, such as a GPU in float32, and why.
    public var notes: [String]
    /// Per role, over all RGB cases, against the server model; nil for an exact copy.
    public var snrDb: [Role: Double?]
    public var cases: [CaseRun]

    public init(
        artifact: String, unit: ComputeUnit, proof: Proof? = nil, refusal: String? = nil, delegates: [String] = [],
        times: Times? = nil, slower: Bool = false, notes: [String] = [], snrDb: [Role: Double?] = [:],
        cases: [CaseRun] = []
    ) {
        self.artifact = artifact
        self.unit = unit
        self.proof = proof
        self.refusal = refusal
        self.delegates = delegates
        self.times = times
        self.slower = slower
        self.notes = notes
        self.snrDb = snrDb
        self.cases = cases
    }
}

/// What an app and the device under it are called.
public struct Device: Sendable {
    /// Its name and version.
    public let app: String
    /// Maker and model.
    public let device: String
    /// The operating system and its version.
    public let system: String
    /// Versions by name.
    public let runtimes: [String: String]

    public init(app: String, device: String, system: String, runtimes: [String: String]) {
        self.app = app
        self.device = device
        self.system = system
        self.runtimes = runtimes
    }
}

/// What an app's own code makes of all golden cases of the bundle whose manifest has this hash.
public struct DeviceParity: Sendable {
    public let manifestSha256: String
    public let device: Device
    public let runs: [UnitRun]

    public init(manifestSha256: String, device: Device, runs: [UnitRun]) {
        self.manifestSha256 = manifestSha256
        self.device = device
        self.runs = runs
    }

    /// The text of `device-parity.json`, which `samesight verify --device-results` judges.
    public func toJson() -> String {
        object([
            ("schema_version", .word("\(deviceParitySchema)")),
            ("manifest_sha256", .text(manifestSha256)),
            ("app", .text(device.app)),
            ("device", .text(device.device)),
            ("system", .text(device.system)),
            ("runtimes", object(device.runtimes.sorted { $0.key < $1.key }.map { ($0, .text($1)) })),
            ("runs", .array(runs.map(fields))),
        ]).written()
    }
}

private let jsonNull = Json.word("null")

private func object(_ fields: [(String, Json)]) -> Json {
    var result = JsonObject()
    for (name, value) in fields { result.put(name, value) }
    return .object(result)
}

/// JSON has no number for what is not finite.
private func number<T: BinaryFloatingPoint & LosslessStringConvertible>(_ value: T?) -> Json {
    guard let value, value.isFinite else { return jsonNull }
    return .word(value.description)
}

private func fields(_ run: UnitRun) -> Json {
    let roles = Role.allCases.compactMap { role in run.snrDb[role].map { (role.rawValue, number($0)) } }
    return object([
        ("artifact", .text(run.artifact)),
        ("unit", .text(run.unit.rawValue)),
        ("proof", run.proof.map { .text($0.rawValue) } ?? jsonNull),
        ("refusal", run.refusal.map(Json.text) ?? jsonNull),
        ("delegates", .array(run.delegates.map(Json.text))),
        ("times", run.times.map(fields) ?? jsonNull),
        ("slower", .word("\(run.slower)")),
        ("notes", .array(run.notes.map(Json.text))),
        ("snr_db", object(roles)),
        ("cases", .array(run.cases.map(fields))),
    ])
}

private func fields(_ times: Times) -> Json {
    object([("load", number(times.load)), ("first", number(times.first)), ("steady", number(times.steady))])
}

private func fields(_ run: CaseRun) -> Json {
    object([
        ("id", .text(run.id)),
        ("image", .text(run.image)),
        ("tensor_sha256", .text(run.tensorSha256)),
        ("answers", .array(run.answers.map(fields))),
    ])
}

private func fields(_ answer: Answer) -> Json {
    let box = answer.box.map { [$0.x1, $0.y1, $0.x2, $0.y2] }
    return object([
        ("label", .text(answer.label)),
        ("index", .word("\(answer.index)")),
        ("score", number(answer.score)),
        ("box", box.map { .array($0.map { number($0) }) } ?? jsonNull),
    ])
}
