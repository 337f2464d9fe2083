import Contract
import Engines

// Figures and descriptions as text: what is read aloud is worded here too.

public let appName = "Samesight"

public var selfTestExplained: String {
    localized(
        "Runs every golden case of this model, from pixels and from camera bytes to answers, with every engine on every unit of this phone, and compares with the server model."
    )
}

public func percent(_ score: Float) -> String { "\(fixed(Double(100 * score), 0)) %" }

public func milliseconds(_ value: Double) -> String { "\(fixed(value, value < 10 ? 1 : 0)) ms" }

public func name(_ unit: ComputeUnit?) -> String { unit?.name ?? localized("Best that works") }

public func name(_ artifact: ArtifactChoice) -> String {
    ([artifact.precision, artifact.runtime] + (artifact.passed == true ? [] : [localized("unproven")]))
        .joined(separator: " · ")
}

public func name(_ task: ModelTask) -> String {
    switch task {
    case .classification: localized("Classification")
    case .detection: localized("Detection")
    }
}

public func name(_ bundle: BundleChoice) -> String {
    bundle.opened ? localized("%@, opened from a file", bundle.name) : bundle.name
}

/// What is known of the unit that ran, in words.
public func name(_ proof: Proof) -> String {
    switch proof {
    case .certain: localized("certain")
    case .timing: localized("faster than the CPU can be")
    case .requested: localized("requested, not proven")
    }
}

/// Such as `NPU · requested, not proven`.
public func whatRan(_ trial: Trial) -> String {
    ([trial.unit.name] + [trial.proof.map(name)].compactMap { $0 }).joined(separator: " · ")
}

/// The model in one line.
public func statusLine(_ model: Model) -> String {
    switch model {
    case .none: return localized("No model")
    case .loading: return localized("Trying units one by one …")
    case .released: return localized("Memory was low: the model was unloaded")
    case .failed: return localized("The model does not run")
    case .ready(let placed, _):
        let trial = placed.chosen
        let words = [trial.unit.name, trial.times.map { milliseconds($0.steady) }, trial.proof.map(name)]
        return words.compactMap { $0 }.joined(separator: " · ")
    }
}

/// Such as `1.0×`.
public func ratio(_ zoom: Float) -> String { "\(fixed(Double(zoom), 1))×" }

public func figures(_ trial: Trial) -> String {
    (slower(trial.slower) + timesOf(trial.times) + trial.notes + trial.delegates).joined(separator: " · ")
}

/// A unit that was not chosen, in one line.
public func fate(_ trial: Trial) -> String { trial.refusal.map { localized("refused: %@", $0) } ?? figures(trial) }

public func figures(_ run: UnitRun) -> String {
    let ratio = run.snrDb.values.compactMap { $0 }.min()
    let ratioText = ratio.map { "\(fixed($0, 0)) dB" } ?? localized("exact")
    return ([ratioText] + slower(run.slower) + timesOf(run.times) + run.delegates).joined(separator: " · ")
}

private func slower(_ slower: Bool) -> [String] { slower ? [localized("slower than the CPU")] : [] }

private func timesOf(_ times: Times?) -> [String] {
    guard let times else { return [] }
    return [
        localized("%@ a run", milliseconds(times.steady)), localized("first %@", milliseconds(times.first)),
        localized("load %@", milliseconds(times.load)),
    ]
}

public func verdict(_ result: TestResult) -> String {
    let ran = result.runs.filter { $0.refusal == nil }.count
    switch result.judgement.failures.count {
    case 0: return localized("All %@ runs match the server model", "\(ran)")
    case 1: return localized("One failure")
    default: return localized("%@ failures", "\(result.judgement.failures.count)")
    }
}

/// What came of one run of the self-test, in a word or two.
public func outcome(_ run: UnitRun, _ passed: Bool) -> String {
    run.refusal != nil ? localized("not used") : passed ? localized("matches") : localized("differs")
}

/// The answers in one line; nil before there are any.
public func summary(_ task: ModelTask, _ answers: [Answer]?) -> (text: String, figure: String)? {
    guard let answers else { return nil }
    switch task {
    case .classification: return answers.first.map { ($0.label, percent($0.score)) } ?? ("", "")
    case .detection:
        if answers.isEmpty { return (localized("Nothing found"), "") }
        let counts = Dictionary(grouping: answers, by: \.label).mapValues(\.count).sorted { $0.key < $1.key }
        let words = counts.map { label, count in count == 1 ? label : "\(label) (\(count))" }
        return (words.joined(separator: " · "), localized("%@ found", "\(answers.count)"))
    }
}

public func spoken(_ answer: Answer) -> String { "\(answer.label), \(percent(answer.score))" }

/// What VoiceOver says of the image.
public func description(_ state: State) -> String {
    let image =
        state.source == .photo
        ? localized("Photo") : state.paused ? localized("Paused camera image") : localized("Camera image")
    guard let answers = state.seen?.answers, let task = state.chosen?.task else { return image }
    guard let first = answers.first else { return localized("%@: nothing found", image) }
    if task == .classification || answers.count == 1 { return "\(image): \(spoken(first))" }
    return localized("%@: %@ objects, first %@", image, "\(answers.count)", spoken(first))
}

/// What stands in the place of the camera's image.
public func noCamera(_ camera: CameraState) -> (title: String, sentence: String) {
    switch camera {
    case .asked:
        (
            localized("May the app use the camera?"),
            localized("Images stay on this phone: the app asks for no network.")
        )
    case .denied:
        (
            localized("The camera is not allowed"),
            localized("Allow it in the phone's settings, or choose a photo instead.")
        )
    case .failed(let sentence): (localized("The camera stopped"), sentence)
    case .on, .absent:
        (
            localized("No camera"), localized("This device has no camera that works. Choose a photo instead.")
        )
    }
}

public var noBundles: (title: String, sentence: String) {
    (
        localized("No models yet"),
        localized(
            "Build the app with one (samesight install BUNDLE ios_app), or open a file that samesight pack made.")
    )
}

/// What is waited for; nil where nothing is.
public func waiting(_ state: State) -> String? {
    if let opening = state.opening { return localized("Opening %@ …", opening) }
    return state.bundles.isEmpty && state.model == .loading ? localized("Reading the models …") : nil
}

/// The answers as text, for sharing.
public func answersAsText(_ state: State, _ seen: Seen) -> String {
    let model = [state.bundle, state.artifact].compactMap { $0 }.joined(separator: ", ")
    let lines = seen.answers.map { answer in
        let box = answer.box.map { box in
            localized(", box %@", [box.x1, box.y1, box.x2, box.y2].map { fixed(Double($0), 1) }.joined(separator: " "))
        }
        return spoken(answer) + (box ?? "")
    }
    let head = localized(
        "%@, %@, image of %@ x %@ pixels", model, statusLine(state.model), "\(seen.width)", "\(seen.height)")
    return ([head] + (lines.isEmpty ? [localized("Nothing found")] : lines)).joined(separator: "\n")
}

/// The next of 1, 2, 4 … that is larger than the zoom now, if the lens has it; else 1.
public func nextZoom(_ state: State) -> Float {
    var next: Float = 1
    while next <= state.zoom + 0.05 { next *= 2 }
    return next <= state.lens.mostZoom ? next : 1
}
