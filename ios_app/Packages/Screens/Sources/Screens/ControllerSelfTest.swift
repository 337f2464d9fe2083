import Contract
import Engines
import Foundation

extension Controller {
    /// The self-test without a hand on the phone: of every bundle, or of `only` one, one after the other.
    ///
    /// - Returns: the paths of the files `device-parity-MODEL.json` that were written into `folder`; what failed is told on
    ///   the screen, and there is no file of it.
    public func testAll(into folder: String, only model: String? = nil) async -> [String] {
        await settled()
        let names = state.bundles.map(\.name).filter { model == nil || $0 == model }
        if names.isEmpty, let model { problem(localized("%@: is no model of this app", model)) }
        var written: [String] = []
        for name in names {
            let path = "\(folder)/device-parity-\(name).json"
            // What an earlier test wrote is not this one's.
            try? FileManager.default.removeItem(atPath: path)
            onEvent(.chooseBundle(name))
            onEvent(.showSelfTest)
            onEvent(.runSelfTest)
            await settled()
            guard state.bundle == name, let text = results else { continue }
            do {
                try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
                written.append(path)
            } catch {
                problem(
                    localized("%@: cannot be written (%@)", "device-parity-\(name).json", error.localizedDescription))
            }
        }
        return written
    }

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
