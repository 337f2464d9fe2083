/// Signal-to-noise ratios of one raw output against the server model, in dB.
public struct RoleFigures: Sendable {
    public let role: String
    public let exact: Bool
    /// Pools all cases and positions; nil with `exact` stands for an infinite ratio.
    public let snrDb: Double?
    /// The lowest of the cases.
    public let worstDb: Double?
    /// Pools only positions whose score reaches the threshold (detection).
    public let answeringDb: Double?
    public let largestError: Double
}

/// The task metric on the test split: top-1 or mAP50, 0...1, with a paired bootstrap interval of the drop.
public struct MetricFigures: Sendable {
    public let name: String
    public let images: Int
    public let server: Double
    public let artifact: Double
    public let drop: Double
    public let dropLow: Double
    public let dropHigh: Double
}

/// How bad a known fault is: wrong values without an error, it does not run, or the unit does not take the operator.
public enum Severity: String, CaseIterable, Sendable {
    case wrong, fails, slow
}

/// A fault of a runtime that was reported publicly and whose pattern an artifact has. It fails nothing.
public struct FaultWarning: Sendable {
    public let id: String
    public let title: String
    public let severity: Severity
    /// Those it was seen on.
    public let units: [ComputeUnit]
    /// In which it was seen and in which it is mended.
    public let versions: String
    /// The first of the `count` operators that have the pattern.
    public let operators: [String]
    public let count: Int
    public let remedy: String
    public let source: String
}

/// One artifact against the server model.
public struct Verdict: Sendable {
    public let name: String
    public let format: String
    public let precision: String
    public let unit: ComputeUnit
    public let runner: String?
    /// nil where the server could not run the artifact; `reason` says why.
    public let passed: Bool?
    /// The interval of the metric's drop crosses the gate.
    public let inconclusive: Bool
    public let reason: String
    public let cases: Int
    public let roles: [RoleFigures]
    public let agreement: Double?
    public let meanIou: Double?
    public let scoreDifference: Double?
    /// Mean distance of an int8 artifact's outputs from those of the nearest other, in steps of the output.
    public let stepsApart: Double?
    public let largestStepsApart: Double?
    public let metric: MetricFigures?
    public let bytes: Int
    public let bytesRatio: Double?
    /// Known faults of phones' runtimes; they do not count for `passed`.
    public let warnings: [FaultWarning]

    /// The lowest pooled ratio over the raw outputs; nil where all are exact or nothing ran.
    public var snrDb: Double? { roles.compactMap(\.snrDb).min() }
}

/// One artifact on one unit in an app's own code, against the server model on the golden cases.
public struct AppVerdict: Sendable {
    public let app: String
    public let device: String
    public let system: String
    public let name: String
    public let unit: ComputeUnit
    public let proof: Proof?
    /// nil for a unit that the app refuses and so does not use; `reason` says why.
    public let passed: Bool?
    public let reason: String
    public let images: Int
    public let snrDb: Double?
    public let agreement: Double?
    public let times: Times?
    /// Than the CPU.
    public let slower: Bool
    /// Of an ExecuTorch program.
    public let delegates: [String]
}

/// One artifact on what plays a phone's CPU, GPU or NPU on a computer, on the golden cases.
public struct TargetVerdict: Sendable {
    public let target: String
    /// What played `target`; `title` is the same for people.
    public let runner: String
    public let title: String
    public let name: String
    public let unit: ComputeUnit
    public let passed: Bool
    public let reason: String
    public let images: Int
    public let snrDb: Double?
    public let agreement: Double?
    /// The share of an int8 artifact's output values that are the computer's own.
    public let equal: Double?
    /// The same of those within two steps of it.
    public let near: Double?
    /// The GPU's name, or how much of the network an NPU took.
    public let note: String
}

/// All verdicts on the bundle whose manifest has this hash; for another manifest they mean nothing.
public struct Verdicts: Sendable {
    public let manifestSha256: String
    public let passed: Bool
    public let artifacts: [Verdict]
    /// What apps' own code gave, on a computer or on phones.
    public let apps: [AppVerdict]
    /// What was seen on what plays a phone's processors.
    public let targets: [TargetVerdict]
}

func verdicts(_ fields: Fields) throws -> Verdicts {
    try Verdicts(
        manifestSha256: fields.required("manifest_sha256", sha256),
        passed: fields.required("passed") { try $0.flag() },
        artifacts: fields.required("artifacts") { try $0.list { try $0.fields("Verdict", verdict) } },
        apps: fields.optional("apps", []) { try $0.list { try $0.fields("AppVerdict", appVerdict) } },
        targets: fields.optional("targets", []) { try $0.list { try $0.fields("TargetVerdict", targetVerdict) } })
}

private func targetVerdict(_ fields: Fields) throws -> TargetVerdict {
    try TargetVerdict(
        target: fields.required("target", text),
        runner: fields.required("runner", text),
        title: fields.required("title", text),
        name: fields.required("name", text),
        unit: fields.required("unit") { try $0.choice() },
        passed: fields.required("passed") { try $0.flag() },
        reason: fields.required("reason", text),
        images: fields.optional("images", 0) { try $0.int() },
        snrDb: figure(fields, "snr_db"),
        agreement: figure(fields, "agreement"),
        equal: figure(fields, "equal"),
        near: figure(fields, "near"),
        note: fields.optional("note", "", text))
}

private func appVerdict(_ fields: Fields) throws -> AppVerdict {
    try AppVerdict(
        app: fields.required("app", text),
        device: fields.required("device", text),
        system: fields.required("system", text),
        name: fields.required("name", text),
        unit: fields.required("unit") { try $0.choice() },
        proof: fields.optional("proof") { try $0.choice() },
        passed: fields.nullable("passed") { try $0.flag() },
        reason: fields.required("reason", text),
        images: fields.optional("images", 0) { try $0.int() },
        snrDb: figure(fields, "snr_db"),
        agreement: figure(fields, "agreement"),
        times: fields.optional("times") { try $0.fields("Times", times) },
        slower: fields.optional("slower", false) { try $0.flag() },
        delegates: fields.optional("delegates", []) { try $0.list(text) })
}

private func times(_ fields: Fields) throws -> Times {
    try Times(
        load: fields.required("load") { try $0.number() },
        first: fields.required("first") { try $0.number() },
        steady: fields.required("steady") { try $0.number() })
}

private func verdict(_ fields: Fields) throws -> Verdict {
    try Verdict(
        name: fields.required("name", text),
        format: fields.required("format", text),
        precision: fields.required("precision", text),
        unit: fields.required("unit") { try $0.choice() },
        runner: fields.nullable("runner", text),
        passed: fields.nullable("passed") { try $0.flag() },
        inconclusive: fields.optional("inconclusive", false) { try $0.flag() },
        reason: fields.required("reason", text),
        cases: fields.required("cases") { try $0.int() },
        roles: fields.optional("roles", []) { try $0.list { try $0.fields("RoleFigures", roleFigures) } },
        agreement: figure(fields, "agreement"),
        meanIou: figure(fields, "mean_iou"),
        scoreDifference: figure(fields, "score_difference"),
        stepsApart: figure(fields, "steps_apart"),
        largestStepsApart: figure(fields, "largest_steps_apart"),
        metric: fields.optional("metric") { try $0.fields("MetricFigures", metricFigures) },
        bytes: fields.required("bytes") { try $0.whole() },
        bytesRatio: figure(fields, "bytes_ratio"),
        warnings: fields.optional("warnings", []) { try $0.list { try $0.fields("FaultWarning", faultWarning) } })
}

private func faultWarning(_ fields: Fields) throws -> FaultWarning {
    try FaultWarning(
        id: fields.required("id", text),
        title: fields.required("title", text),
        severity: fields.required("severity") { try $0.choice() },
        units: fields.required("units") { try $0.list { try $0.choice() } },
        versions: fields.required("versions", text),
        operators: fields.required("operators") { try $0.list(text) },
        count: fields.required("count") { try $0.int() },
        remedy: fields.required("remedy", text),
        source: fields.required("source", text))
}

private func figure(_ fields: Fields, _ name: String) throws -> Double? {
    try fields.optional(name) { try $0.number() }
}

private func roleFigures(_ fields: Fields) throws -> RoleFigures {
    try RoleFigures(
        role: fields.required("role", text),
        exact: fields.required("exact") { try $0.flag() },
        snrDb: fields.nullable("snr_db") { try $0.number() },
        worstDb: fields.nullable("worst_db") { try $0.number() },
        answeringDb: figure(fields, "answering_db"),
        largestError: fields.required("largest_error") { try $0.number() })
}

private func metricFigures(_ fields: Fields) throws -> MetricFigures {
    try MetricFigures(
        name: fields.required("name", text),
        images: fields.required("images") { try $0.int() },
        server: fields.required("server") { try $0.number() },
        artifact: fields.required("artifact") { try $0.number() },
        drop: fields.required("drop") { try $0.number() },
        dropLow: fields.required("drop_low") { try $0.number() },
        dropHigh: fields.required("drop_high") { try $0.number() })
}
