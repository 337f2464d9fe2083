import Contract
import Foundation

private let tryingPrefix = "trying-"
private let endedPrefix = "ended-"
private let choicePrefix = "choice-"
private let crashed = "the app ended while it was tried"
private let skippedUntil =
    "it is skipped until the app or the system is updated, or the app is deleted and installed again"

/// What is known of units from earlier starts of the app, in files.
///
/// A driver that crashes or hangs takes the app with it, and nothing can be caught: so it is noted before a unit is
/// tried, and the note is removed after. A note that is found at the next start tells what to skip. The CPU, without
/// which nothing may be left, is skipped after two.
public struct TrialNotes: Sendable {
    private let folder: String

    /// - Parameters:
    ///   - folder: of these notes alone; it lasts, and no backup takes it to another device.
    ///   - system: what all this belongs to: the versions of the app, of its runtimes and of the system with its drivers.
    ///     Where it is another one, all is forgotten.
    ///   - isInnocent: asked once, where a note is found: whether the app is known to have ended for another reason.
    public init(_ folder: String, system: String, isInnocent: () -> Bool = { false }) {
        let name = String(sha256(Array(system.utf8)).prefix(16))
        self.folder = "\(folder)/\(name)"
        for other in names(folder) where other != name {
            try? FileManager.default.removeItem(atPath: "\(folder)/\(other)")
        }
        let left = names(self.folder).filter { $0.hasPrefix(tryingPrefix) }
        let innocent = !left.isEmpty && isInnocent()
        for note in left {
            if !innocent { end(String(note.dropFirst(tryingPrefix.count)), crashed) }
            delete(note)
        }
    }

    /// Why a unit is not to be tried, in a sentence; nil where it may be.
    public func skipped(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) -> String? {
        let lines = (read(endedPrefix + id(file, unit, mode)) ?? "").split(separator: "\n")
        guard let last = lines.last, lines.count >= (unit == .cpu ? 2 : 1) else { return nil }
        return "\(last); \(skippedUntil)"
    }

    /// What `act` gives; where it hangs or ends the app, ``skipped(_:_:_:)`` tells so from then on.
    func trying<T>(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode, _ act: () throws -> T) rethrows -> T {
        let note = tryingPrefix + id(file, unit, mode)
        write(note, "")
        defer { delete(note) }
        do {
            return try act()
        } catch let hung as Unresponsive {
            end(id(file, unit, mode), String(hung.message.prefix { $0 != ";" }))
            throw hung
        }
    }

    private func end(_ id: String, _ why: String) {
        let ended = endedPrefix + id
        write(ended, (read(ended) ?? "") + why + "\n")
    }

    /// A choice that was made earlier: the trial that was taken, and all.
    func choice(_ request: Request) -> (chosen: Trial, all: [Trial])? {
        guard let text = read(choiceName(request)),
            // Damaged, or of a version that had other words.
            let kept = try? JSONDecoder().decode(KeptChoice.self, from: Data(text.utf8)),
            let chosen = kept.trials.first(where: { $0.unit == kept.chosen })?.trial
        else { return nil }
        let all = kept.trials.compactMap(\.trial)
        return all.count == kept.trials.count ? (chosen, all) : nil
    }

    func keep(_ request: Request, _ chosen: Trial, _ all: [Trial]) {
        let kept = KeptChoice(chosen: chosen.unit.rawValue, trials: all.map(KeptTrial.init))
        guard let data = try? JSONEncoder().encode(kept) else { return }
        write(choiceName(request), String(decoding: data, as: UTF8.self))
    }

    func forget(_ request: Request) { delete(choiceName(request)) }

    private func choiceName(_ request: Request) -> String {
        let units = request.units.map(\.rawValue).joined(separator: ", ")
        let key = "\(request.file.sha256)\n\(request.file.artifact.precision)\n\(units)"
        return choicePrefix + sha256(Array(key.utf8)).prefix(32)
    }

    private func id(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) -> String {
        String(sha256(Array("\(file.sha256) \(unit.rawValue) \(mode.rawValue)".utf8)).prefix(32))
    }

    private func read(_ name: String) -> String? { try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }

    /// A note that cannot be written costs a protection, and not the start of the app.
    private func write(_ name: String, _ text: String) {
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/\(name)"
        guard (try? Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)) != nil else { return }
        // A crash of the whole phone is one of the things that are noted.
        if let handle = FileHandle(forUpdatingAtPath: path) {
            try? handle.synchronize()
            try? handle.close()
        }
    }

    private func delete(_ name: String) { try? FileManager.default.removeItem(atPath: "\(folder)/\(name)") }
}

private func names(_ folder: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
}

private struct KeptChoice: Codable {
    let chosen: String
    let trials: [KeptTrial]
}

private struct KeptTrial: Codable {
    let unit: String
    let mode: Mode
    let proof: String?
    /// Load, first, steady.
    let times: [Double]?
    let slower: Bool
    let delegates: [String]
    let refusal: String?
    let notes: [String]

    init(_ trial: Trial) {
        unit = trial.unit.rawValue
        mode = trial.mode
        proof = trial.proof?.rawValue
        times = trial.times.map { [$0.load, $0.first, $0.steady] }
        slower = trial.slower
        delegates = trial.delegates
        refusal = trial.refusal
        notes = trial.notes
    }

    var trial: Trial? {
        guard let unit = ComputeUnit(rawValue: unit), times == nil || times?.count == 3 else { return nil }
        return Trial(
            unit, proof: proof.flatMap(Proof.init),
            times: times.map { Times(load: $0[0], first: $0[1], steady: $0[2]) },
            slower: slower, delegates: delegates, refusal: refusal, mode: mode, notes: notes)
    }
}
