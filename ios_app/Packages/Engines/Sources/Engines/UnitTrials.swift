import Contract

private let mostCases = 8

/// What came of asking for a unit once.
struct Attempt {
    var trial: Trial
    /// nil where refused; whoever asked closes it.
    var engine: (any Engine)?
    /// The runtime said so before anything ran.
    var refusedAtLoad = false
    /// It ran, and its outputs were not the server model's.
    var missed = false
}

private struct RefusedAtLoad: Error {
    let message: String
}

private struct WrongOutputs: Error {
    let message: String
}

/// Tries units with the golden cases of one request.
struct UnitTrials {
    let request: Request
    let opener: any Opener
    let notes: TrialNotes?
    let clock: () -> Int

    private var cases: ArraySlice<GoldenCase> { request.cases.prefix(mostCases) }

    func modes(_ unit: ComputeUnit) -> Set<Mode> { opener.modes(unit) }

    /// By all ways in turn, the CPU beside it last.
    func tryUnit(_ unit: ComputeUnit, _ cpu: Times?) throws -> Attempt {
        let alone = try alone(unit, cpu)
        return alone.refusedAtLoad && modes(unit).contains(.withCpu) ? try withCpu(unit, cpu, alone.trial) : alone
    }

    /// By itself; where float16 is too coarse, in float32.
    func alone(_ unit: ComputeUnit, _ cpu: Times?) throws -> Attempt {
        let half = try attempt(unit, .alone, cpu)
        if !half.missed || !modes(unit).contains(.float32) { return half }
        var full = try attempt(unit, .float32, cpu)
        let why = "in float16: \(half.trial.refusal ?? "")"
        if full.engine != nil {
            full.trial.notes = ["in float32", why]
            return full
        }
        full.trial.refusal = "\(why); in float32: \(full.trial.refusal ?? "")"
        return Attempt(trial: full.trial)
    }

    /// With the CPU beside it, which is told, after it was refused by itself.
    func withCpu(_ unit: ComputeUnit, _ cpu: Times?, _ alone: Trial) throws -> Attempt {
        var shared = try attempt(unit, .withCpu, cpu)
        if shared.engine != nil {
            shared.trial.notes = ["with the CPU", "alone refused: \(alone.refusal ?? "")"]
            return shared
        }
        var both = [alone.refusal, shared.trial.refusal].compactMap { $0 }
        if both.count == 2 && both[0] == both[1] { both.removeLast() }
        shared.trial.refusal = both.joined(separator: "; with the CPU: ")
        return Attempt(trial: shared.trial)
    }

    /// Loads as `trial` did, which is believed.
    func reopen(_ trial: Trial) throws -> Attempt {
        try catchRefusal(trial.unit, trial.mode) {
            try Task.checkCancellation()
            return Attempt(trial: trial, engine: try opener.open(request.file, trial.unit, trial.mode))
        }
    }

    /// Loads, checks the outputs and takes the times; or the refusal, with everything closed.
    func attempt(_ unit: ComputeUnit, _ mode: Mode, _ cpu: Times?) throws -> Attempt {
        if let skipped = notes?.skipped(request.file, unit, mode) {
            return Attempt(trial: Trial(unit, refusal: skipped, mode: mode))
        }
        return try catchRefusal(unit, mode) {
            try Task.checkCancellation()
            guard let notes else { return try measured(unit, mode, cpu) }
            return try notes.trying(request.file, unit, mode) { try measured(unit, mode, cpu) }
        }
    }

    private func measured(_ unit: ComputeUnit, _ mode: Mode, _ cpu: Times?) throws -> Attempt {
        let start = clock()
        let engine = try open(unit, mode)
        do {
            let trial = try measure(unit, mode, engine, Double(clock() - start) / nanoseconds, cpu)
            return Attempt(trial: trial, engine: engine)
        } catch {
            engine.close()
            throw error
        }
    }

    private func open(_ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
        do {
            return try opener.open(request.file, unit, mode)
        } catch let refusal as SamesightError {
            throw RefusedAtLoad(message: refusal.message)
        }
    }

    private func measure(
        _ unit: ComputeUnit, _ mode: Mode, _ engine: any Engine, _ load: Double, _ cpu: Times?
    ) throws -> Trial {
        var outputs: [[Role: Tensor]] = []
        var firstTime = 0.0
        for (place, golden) in cases.enumerated() {
            try Task.checkCancellation()
            let start = clock()
            outputs.append(try engine.run(golden.tensor))
            if place == 0 { firstTime = Double(clock() - start) / nanoseconds }
        }
        do {
            try checkSignalToNoise(Array(cases), outputs, request.spec, request.file.artifact.precision, unit)
        } catch let missed as SamesightError {
            throw WrongOutputs(message: missed.message)
        }
        let steady = try steadyTime(engine, request.cases[0].tensor, clock)
        let times = Times(load: load, first: firstTime, steady: steady)
        return Trial(
            unit, proof: proof(engine, times, cpu), times: times, slower: isSlower(times, cpu),
            delegates: engine.delegates, mode: mode)
    }

    private func catchRefusal(_ unit: ComputeUnit, _ mode: Mode, _ act: () throws -> Attempt) throws -> Attempt {
        func refused(_ sentence: String) -> Attempt { Attempt(trial: Trial(unit, refusal: sentence, mode: mode)) }
        do {
            return try act()
        } catch let cancelled as CancellationError {
            throw cancelled
        } catch let refusal as RefusedAtLoad {
            var attempt = refused(refusal.message)
            attempt.refusedAtLoad = true
            return attempt
        } catch let missed as WrongOutputs {
            var attempt = refused(missed.message)
            attempt.missed = true
            return attempt
        } catch let hung as Unresponsive {
            return refused(hung.message)
        } catch {
            return refused((error as? SamesightError)?.message ?? String(describing: error))
        }
    }
}
