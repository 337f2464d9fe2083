import Contract
import Engines

private let unitsByPreference: [ComputeUnit] = [.npu, .gpu, .cpu]

/// A bundle and those of its artifacts that this app has a runtime for.
private struct Entry {
    let bundle: ModelBundle
    let choice: BundleChoice
    let artifacts: [ArtifactChoice]
    let notOffered: [String]
}

/// The bundles that there are, and the one model in memory.
@MainActor
final class Models {
    let holder = ModelHolder()
    private let shelf: any Shelf
    private let runtimes: any Runtimes
    private let memory: any Memory
    private let clock: @Sendable () -> Int
    private var entries: [Entry] = []
    private var request = 0
    private var loading: Task<Void, Never>?
    private(set) var analyzer: ImageAnalyzer?
    /// The least score that is asked for; nil: the model's own.
    private(set) var threshold: Float?

    init(
        _ shelf: any Shelf, _ runtimes: any Runtimes, _ memory: any Memory, _ clock: @escaping @Sendable () -> Int
    ) {
        self.shelf = shelf
        self.runtimes = runtimes
        self.memory = memory
        self.clock = clock
    }

    /// RGB of what shows through transparent pixels, as the chosen model was trained.
    func background(_ state: State) -> [Int] { find(state.bundle)?.spec.input.background ?? [255, 255, 255] }

    /// The bundle of that name.
    func find(_ name: String?) -> ModelBundle? { entries.first { $0.choice.name == name }?.bundle }

    /// Reads all bundles anew; what was chosen last is to be chosen next, and a sentence about one that is broken.
    func list() async -> (bundles: [BundleChoice], next: String?, problem: String?) {
        let shelf = shelf
        var problem: String?
        do {
            let read = try await away { try shelf.all() }
            entries = read.bundles.map(entry)
            problem = read.problems.first
        } catch {
            entries = []
            problem = sentence(error)
        }
        let remembered = entries.first { $0.choice.name == memory.choices.bundle } ?? entries.first
        return (entries.map(\.choice), remembered?.choice.name, problem)
    }

    var rememberedUnit: ComputeUnit? { memory.choices.unit }

    /// Takes one bundle more; it replaces one of the same name.
    func add(_ shelved: Shelved) -> [BundleChoice] {
        let new = entry(shelved)
        entries = entries.filter { $0.choice.name != new.choice.name } + [new]
        return entries.map(\.choice)
    }

    /// The state with this bundle chosen, and of its artifacts the last one, or the first that the server passed.
    func choose(_ name: String, _ state: inout State) {
        guard let entry = entries.first(where: { $0.choice.name == name }) else { return }
        let artifacts = entry.artifacts
        let artifact =
            artifacts.first { $0.name == memory.choices.artifact } ?? artifacts.first { $0.passed == true }
            ?? artifacts.first
        state.bundle = name
        state.artifacts = artifacts
        state.artifact = artifact?.name
        state.notOffered = entry.notOffered
    }

    /// From now on no image is looked at, until a model is loaded.
    func forget() { analyzer = nil }

    /// Ends a load that is under way.
    func cancel() {
        forget()
        request += 1
        loading?.cancel()
    }

    /// Gives the model's memory back.
    func release() async { await holder.close() }

    func ask(_ threshold: Float?) async throws {
        self.threshold = threshold
        try await analyzer?.ask(threshold)
    }

    /// Loads what the state chose, in place of all that was asked for before; `done` is told what came of it.
    func load(_ state: State, _ done: @escaping @MainActor (Model) -> Void) -> Task<Void, Never> {
        cancel()
        let mine = request
        let task = Task {
            var model: Model?
            do {
                model = try await placed(state)
            } catch {
                model = sentence(error).map(Model.failed)
            }
            guard mine == request, let model else { return }
            if model.placed != nil, let spec = find(state.bundle)?.spec {
                let holder = holder
                let analyzer = ImageAnalyzer(spec, clock) { try await holder.run($0) }
                try? await analyzer.ask(threshold)
                guard mine == request else { return }
                self.analyzer = analyzer
            }
            done(model)
        }
        loading = task
        return task
    }

    private func placed(_ state: State) async throws -> Model {
        // Another choice may have come before this one's turn.
        try Task.checkCancellation()
        guard let bundle = find(state.bundle) else { return .none }
        guard let name = state.artifact else { throw nothingToRun(bundle) }
        memory.choices = Choices(bundle: bundle.spec.name, artifact: name, unit: state.unit)
        let artifact = try bundle.find(name)
        guard let opener = runtimes.openers[artifact.format] else { throw nothingToRun(bundle) }
        // The model before gives its memory back first: to compile takes some too.
        await holder.close()
        let file = try await opener.prepare(ArtifactFile(bundle, artifact))
        let cases = try await away { try bundle.goldenCases() }
        let units = state.unit.map { [$0] } ?? unitsByPreference
        let asked = Request(file: file, spec: bundle.spec, cases: cases, units: units)
        let (notes, clock) = (runtimes.notes, clock)
        let placed = try await holder.load { try place(asked, opener, notes: notes, clock: clock) }
        return .ready(placed, plan: await opener.plan(file, placed.chosen.unit))
    }

    private func nothingToRun(_ bundle: ModelBundle) -> SamesightError {
        let formats = runtimes.openers.keys.sorted().joined(separator: localized(" or "))
        return SamesightError(
            localized(
                "model %@: has no artifact that this app runs; convert it to %@", bundle.spec.name, formats))
    }

    private func entry(_ shelved: Shelved) -> Entry {
        let bundle = shelved.bundle
        let read = try? bundle.verdicts()
        let verdicts = Dictionary((read?.artifacts ?? []).map { ($0.name, $0.passed) }) { $1 }
        let known = bundle.manifest.artifacts.filter { runtimes.openers[$0.format] != nil }
        func reason(_ artifact: Artifact) -> String? { tooOld(artifact, runtimes.system) ?? otherChip(artifact) }
        let offered = known.filter { reason($0) == nil }
        let artifacts = offered.map {
            ArtifactChoice(
                name: $0.name, runtime: $0.runtime, precision: $0.precision, passed: verdicts[$0.name] ?? nil)
        }
        let spec = bundle.spec
        let choice = BundleChoice(
            name: spec.name, task: spec.task, labels: spec.labels.count, opened: shelved.opened,
            threshold: spec.detection.map { Float($0.scoreThreshold) })
        return Entry(
            bundle: bundle, choice: choice, artifacts: artifacts,
            notOffered: known.compactMap { reason($0) })
    }
}
