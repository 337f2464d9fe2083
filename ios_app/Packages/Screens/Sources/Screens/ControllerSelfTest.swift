import Contract
import Engines

extension Controller {
    func cancelTest() {
        testing?.cancel()
    }

    func test() {
        guard let bundle = models.find(state.bundle) else { return }
        cancelTest()
        tests += 1
        let mine = tests
        parity = nil
        models.cancel()
        // The model gives its place to those of the test, so that one is in memory at a time.
        change { state in
            state.selfTest = .running(done: 0, total: 1, what: "")
            if state.model.placed != nil { state.model = .none }
        }
        let task = Task {
            var outcome = SelfTest.idle
            var finished: DeviceParity?
            do {
                let parity = try await self.tested(bundle, mine)
                let cases = try await away { try bundle.goldenCases() }
                let judgement = try judge(parity.runs, cases, bundle.manifest.artifacts)
                outcome = .done(TestResult(runs: parity.runs, judgement: judgement))
                finished = parity
            } catch {
                if let told = sentence(error) { outcome = .failed(told) }
            }
            guard mine == self.tests, bundle.folder == self.models.find(self.state.bundle)?.folder else { return }
            self.tests += 1
            self.parity = finished
            self.change { $0.selfTest = outcome }
            self.load()
        }
        testing = task
        track(task)
    }

    func tested(_ bundle: ModelBundle, _ mine: Int) async throws -> DeviceParity {
        let (openers, device, notes, system) = (runtimes.openers, runtimes.device, runtimes.notes, runtimes.system)
        let files = try await prepareAll(bundle, openers).filter { tooOld($0.artifact, system) == nil }
        return try await models.holder.instead {
            try selfTest(bundle, files, openers, device, notes: notes) { done, total, what in
                Task { @MainActor in self.progress(mine, done, total, what) }
            }
        }
    }

    /// Shows how a test stands, unless it ended, or another test or another bundle took its place.
    func progress(_ mine: Int, _ done: Int, _ total: Int, _ what: String) {
        guard mine == tests, case .running = state.selfTest else { return }
        change { $0.selfTest = .running(done: done, total: max(total, 1), what: what) }
    }
}
