import Contract

private let leastCases = 2

/// An engine that runs, the trial that chose it, and all trials in the order of the request, the CPU's among them.
public struct Placement {
    public let engine: any Engine
    public let chosen: Trial
    public let trials: [Trial]
}

/// What to place.
public struct Request: Sendable {
    public let file: ArtifactFile
    public let spec: ModelSpec
    /// Golden cases; at least two, so that a constant output is told from an answer.
    public let cases: [GoldenCase]
    /// From the best to the last resort.
    public let units: [ComputeUnit]

    public init(
        file: ArtifactFile, spec: ModelSpec, cases: [GoldenCase], units: [ComputeUnit] = [.npu, .gpu, .cpu]
    ) {
        self.file = file
        self.spec = spec
        self.cases = cases
        self.units = units
    }
}

/// Loads an artifact on the first of the requested units that gives the server model's outputs.
///
/// Each unit is asked for by itself, and one model is in memory at a time. The CPU is timed first, for comparison; a unit
/// that is slower is passed over if the CPU was requested too, and shown as slower either way. Where nothing says that a
/// unit runs what it was asked to run, one that is certain is preferred, and so is the CPU unless it is slower.
///
/// - Parameters:
///   - notes: of earlier starts: what is known to end the app is not tried, and what was chosen is tried first.
///   - clock: nanoseconds.
/// - Throws: ``SamesightError`` no unit runs it, with every refusal; `CancellationError` the task was cancelled, and
///   nothing stays loaded.
public func place(
    _ request: Request, _ opener: any Opener, notes: TrialNotes? = nil, clock: () -> Int = uptime
) throws -> Placement {
    if request.cases.count < leastCases {
        throw SamesightError(
            "artifact \(request.file.artifact.name): \(leastCases) golden cases are needed to judge a unit")
    }
    return try withoutActuallyEscaping(clock) { clock in
        let trials = UnitTrials(request: request, opener: opener, notes: notes, clock: clock)
        var selector = ComputeUnitSelector(request, trials, notes)
        return try selector.select()
    }
}

/// Chooses a unit of one request; see ``place(_:_:notes:clock:)``.
struct ComputeUnitSelector {
    private let request: Request
    private let unitTrials: UnitTrials
    private let notes: TrialNotes?
    private var trials: [ComputeUnit: Trial] = [:]

    init(_ request: Request, _ unitTrials: UnitTrials, _ notes: TrialNotes?) {
        self.request = request
        self.unitTrials = unitTrials
        self.notes = notes
    }

    mutating func select() throws -> Placement {
        if let remembered = try remembered() { return remembered }
        let placement = try search()
        notes?.keep(request, placement.chosen, placement.trials)
        return placement
    }

    /// What was chosen at an earlier start, if it still works as it did.
    private func remembered() throws -> Placement? {
        guard let notes, let (chosen, all) = notes.choice(request) else { return nil }
        let cpu = chosen.unit == .cpu ? nil : all.first { $0.unit == .cpu }?.times
        var attempt = try unitTrials.attempt(chosen.unit, chosen.mode, cpu)
        attempt.trial.notes = chosen.notes
        if let engine = attempt.engine, attempt.trial.proof == chosen.proof, attempt.trial.slower == chosen.slower {
            let trial = attempt.trial
            return Placement(engine: engine, chosen: trial, trials: all.map { $0 == chosen ? trial : $0 })
        }
        attempt.engine?.close()
        notes.forget(request)
        return nil
    }

    private mutating func search() throws -> Placement {
        let reference = try unitTrials.attempt(.cpu, .alone, nil)
        let cpu = reference.trial
        if request.units == [.cpu], let engine = reference.engine {
            return Placement(engine: engine, chosen: cpu, trials: [cpu])
        }
        reference.engine?.close()
        var unproven: [Trial] = []
        var refusedAlone: Set<ComputeUnit> = []
        for (unit, mode) in rungs() {
            if unit == .cpu {
                trials[.cpu] = cpu
                let faster = unproven.first { cpu.times == nil || isFaster($0, cpu) }
                if let faster, let placement = try reopen(faster) { return placement }
                if cpu.times != nil, let placement = try reopen(cpu) { return placement }
                continue
            }
            if mode == .withCpu && !refusedAlone.contains(unit) { continue }
            let alone = trials[unit]
            let attempt =
                if mode == .withCpu, let alone {
                    try unitTrials.withCpu(unit, cpu.times, alone)
                } else {
                    try unitTrials.alone(unit, cpu.times)
                }
            trials[unit] = attempt.trial
            if attempt.refusedAtLoad { refusedAlone.insert(unit) }
            guard let engine = attempt.engine else { continue }
            if attempt.trial.slower && request.units.contains(.cpu) && cpu.times != nil {
                engine.close()
            } else if attempt.trial.proof == .requested && request.units.count > 1 {
                unproven.append(attempt.trial)
                engine.close()
            } else {
                return found(engine, attempt.trial, cpu)
            }
        }
        if let first = unproven.first, let placement = try reopen(first) { return placement }
        throw refused(cpu)
    }

    private func refused(_ cpu: Trial) -> SamesightError {
        let refusals = told(cpu).map { "\($0.unit.name): \($0.refusal ?? "")" }.joined(separator: "; ")
        return SamesightError("artifact \(request.file.artifact.name): no unit runs it; \(refusals)")
    }

    /// A unit with the CPU beside it comes after all that run by themselves, and before the CPU.
    private func rungs() -> [(ComputeUnit, Mode)] {
        let units = request.units
        let shared = units.filter { unitTrials.modes($0).contains(.withCpu) }.map { ($0, Mode.withCpu) }
        let end = units.last == .cpu ? units.count - 1 : units.count
        let alone = units.map { ($0, Mode.alone) }
        return Array(alone[..<end]) + shared + Array(alone[end...])
    }

    private func isFaster(_ trial: Trial, _ cpu: Trial) -> Bool {
        guard let mine = trial.times, let theirs = cpu.times else { return false }
        return mine.steady * margin < theirs.steady
    }

    /// Loads again what was tried and closed; nil where it is refused now.
    private mutating func reopen(_ trial: Trial) throws -> Placement? {
        let attempt = try unitTrials.reopen(trial)
        trials[trial.unit] = attempt.trial
        guard let engine = attempt.engine else { return nil }
        return found(engine, attempt.trial, trials[.cpu])
    }

    private func found(_ engine: any Engine, _ chosen: Trial, _ cpu: Trial?) -> Placement {
        Placement(engine: engine, chosen: chosen, trials: told(cpu))
    }

    /// All trials in the order of the request, the CPU's last where it was not requested.
    private func told(_ cpu: Trial?) -> [Trial] {
        let requested = request.units.compactMap { trials[$0] }
        return requested + [cpu].compactMap { $0 }.filter { one in !requested.contains { $0.unit == one.unit } }
    }
}
