import Contract

/// Runs every golden case of a bundle through the app's own code, as its camera and photos go: contract, engine,
/// contract; every artifact on every unit.
///
/// - Parameters:
///   - files: the artifacts, as ``Opener/prepare(_:)`` gave them; one that could not be prepared has its sentence.
///   - openers: by the format that they take.
///   - units: of which each is asked for by itself; the CPU comes first, for comparison.
///   - notes: as in ``place(_:_:notes:clock:)``.
///   - progress: is told the number of finished runs, the number of all, and what runs next.
/// - Throws: ``SamesightError`` the bundle has no golden cases; `CancellationError` the task was cancelled.
public func selfTest(
    _ bundle: ModelBundle, _ files: [PreparedFile], _ openers: [String: any Opener], _ device: Device,
    units: [ComputeUnit] = ComputeUnit.allCases, notes: TrialNotes? = nil,
    progress: (Int, Int, String) -> Void = { _, _, _ in }
) throws -> DeviceParity {
    let cases = try bundle.goldenCases()
    if cases.isEmpty { throw SamesightError("\(bundle.folder): has no golden cases; make the bundle anew") }
    let order = units.filter { $0 == .cpu } + units.filter { $0 != .cpu }
    var runs: [UnitRun] = []
    for prepared in files {
        var cpu: Times?
        for unit in order {
            let artifact = prepared.artifact
            progress(runs.count, files.count * order.count, "\(artifact.name) on the \(unit.name)")
            guard let file = prepared.file, let opener = openers[artifact.format] else {
                runs.append(UnitRun(artifact: artifact.name, unit: unit, refusal: prepared.refusal))
                continue
            }
            let request = Request(file: file, spec: bundle.spec, cases: cases)
            let trials = UnitTrials(request: request, opener: opener, notes: notes, clock: uptime)
            let attempt = try trials.tryUnit(unit, cpu)
            if unit == .cpu { cpu = attempt.trial.times }
            runs.append(try run(attempt, artifact, bundle.spec, cases))
        }
    }
    progress(runs.count, runs.count, "")
    return DeviceParity(manifestSha256: try bundle.manifestSha256(), device: device, runs: runs)
}

/// An artifact that can be loaded, or why not.
public struct PreparedFile: Sendable {
    public let artifact: Artifact
    public let file: ArtifactFile?
    public let refusal: String?
}

/// Makes the artifacts that the openers take, but for those of other chips, ready to be loaded (see ``Opener/prepare(_:)``).
public func prepareAll(_ bundle: ModelBundle, _ openers: [String: any Opener]) async throws -> [PreparedFile] {
    var prepared: [PreparedFile] = []
    for artifact in bundle.manifest.artifacts where otherChip(artifact) == nil {
        guard let opener = openers[artifact.format] else { continue }
        do {
            let file = try await opener.prepare(ArtifactFile(bundle, artifact))
            prepared.append(PreparedFile(artifact: artifact, file: file, refusal: nil))
        } catch let refusal as SamesightError {
            prepared.append(PreparedFile(artifact: artifact, file: nil, refusal: refusal.message))
        }
    }
    return prepared
}

private func run(
    _ attempt: Attempt, _ artifact: Artifact, _ spec: ModelSpec, _ cases: [GoldenCase]
) throws -> UnitRun {
    let trial = attempt.trial
    guard let engine = attempt.engine else { return refused(trial, artifact, trial.refusal) }
    defer { engine.close() }
    do {
        let path = Path(engine, spec)
        var outputs: [[Role: Tensor]] = []
        var runs: [CaseRun] = []
        for golden in cases {
            try Task.checkCancellation()
            runs.append(try path.run(golden, "rgb") { $0.run(golden.picture) })
            outputs.append(path.outputs)
            guard let yuv = golden.yuv else { continue }
            runs.append(try path.run(golden, yuv.layout.rawValue) { try $0.run(yuv, golden.picture) })
        }
        var ratios: [Role: Double?] = [:]
        for role in spec.roles {
            let ratio = decibels(cases.compactMap { $0.outputs[role] }, outputs.compactMap { $0[role] })
            ratios.updateValue(ratio.isFinite ? ratio : nil, forKey: role)
        }
        return UnitRun(
            artifact: artifact.name, unit: trial.unit, proof: trial.proof, delegates: trial.delegates,
            times: trial.times, slower: trial.slower, notes: trial.notes, snrDb: ratios, cases: runs)
    } catch let problem as SamesightError {
        return refused(trial, artifact, problem.message)
    } catch let hung as Unresponsive {
        return refused(trial, artifact, hung.message)
    }
}

private func refused(_ trial: Trial, _ artifact: Artifact, _ why: String?) -> UnitRun {
    UnitRun(artifact: artifact.name, unit: trial.unit, refusal: why, delegates: trial.delegates, notes: trial.notes)
}

extension Preprocessor {
    fileprivate func run(_ yuv: Yuv, _ picture: Picture) throws -> Geometry {
        try yuv.data.withUnsafeBytes { bytes in
            let frame = try yuv420FromBytes(bytes, picture.width, picture.height, yuv.layout)
            return try run(frame, yuv.matrix, yuv.range, picture.orientation)
        }
    }
}

/// From an image to answers, the one way that an app takes.
private final class Path {
    private let engine: any Engine
    private let spec: ModelSpec
    private let preprocessor: Preprocessor
    private(set) var outputs: [Role: Tensor] = [:]

    init(_ engine: any Engine, _ spec: ModelSpec) {
        self.engine = engine
        self.spec = spec
        preprocessor = Preprocessor(spec.input)
    }

    func run(_ golden: GoldenCase, _ image: String, _ prepare: (Preprocessor) throws -> Geometry) throws -> CaseRun {
        let geometry = try prepare(preprocessor)
        outputs = try engine.run(preprocessor.tensor)
        return CaseRun(
            id: golden.id, image: image, tensorSha256: sha256(preprocessor.tensor),
            answers: try answers(outputs, spec, geometry))
    }
}
