import Contract
import Foundation

/// What the runs of a self-test are worth.
public struct Judgement: Equatable, Sendable {
    /// Of each run: it made every golden tensor to the byte, and outputs near enough to the server model's over all
    /// cases. Answers are compared by `samesight verify --device-results`, which has the server's.
    public let passed: [Bool]
    /// What is wrong of all runs, a sentence each; empty where they match the server model. A unit that refuses fails
    /// nothing, but an artifact that no unit runs does, as for `samesight verify`.
    public let failures: [String]

    public init(passed: [Bool], failures: [String]) {
        self.passed = passed
        self.failures = failures
    }
}

/// Judges the runs of a bundle with these cases and artifacts.
///
/// - Throws: ``SamesightError`` an artifact that ran has a precision without a gate.
public func judge(_ runs: [UnitRun], _ cases: [GoldenCase], _ artifacts: [Artifact]) throws -> Judgement {
    if runs.isEmpty { return Judgement(passed: [], failures: ["no artifact of this bundle runs in this app"]) }
    let tensors = Dictionary(cases.map { ($0.id, sha256($0.tensor)) }) { $1 }
    let precisions = Dictionary(artifacts.map { ($0.name, $0.precision) }) { $1 }
    let faults = try runs.map { try faultsOf($0, tensors, precisions[$0.artifact] ?? "") }
    let differing = zip(runs, faults).filter { $0.refusal == nil && !$1.isEmpty }.map { run, faults in
        "\(run.artifact) on the \(run.unit.name): \(faults.joined(separator: "; "))"
    }
    var idle: [String] = []
    for artifact in artifacts {
        let own = runs.filter { $0.artifact == artifact.name }
        if let first = own.first, own.allSatisfy({ $0.refusal != nil }) {
            idle.append("\(artifact.name): no unit runs it; \(first.refusal ?? "")")
        }
    }
    return Judgement(
        passed: zip(runs, faults).map { $0.refusal == nil && $1.isEmpty }, failures: differing + idle)
}

/// What is wrong of a run: which tensor, which output and which gate.
private func faultsOf(_ run: UnitRun, _ tensors: [String: String], _ precision: String) throws -> [String] {
    if run.refusal != nil { return [] }
    if run.cases.isEmpty || run.snrDb.isEmpty { return ["no case was compared"] }
    let others = run.cases.filter { $0.tensorSha256 != tensors[$0.id] }
    let more = others.count > 1 ? " and of \(others.count - 1) more" : ""
    let tensor = others.first.map { "the input tensor of case \($0.id) (\($0.image))\(more) is not the golden one" }
    let least = try gateFor(precision, run.unit).snrDb
    let outputs = Role.allCases.compactMap { role -> String? in
        guard let ratio = run.snrDb[role] ?? nil, ratio < least else { return nil }
        return "output \(role.rawValue) has \(decibels(ratio)) dB against the server model, "
            + "its gate is \(decibels(least)) dB"
    }
    return [tensor].compactMap { $0 } + outputs
}

/// One digit after the point, rounded down: what misses a gate is never shown as what meets it.
private func decibels(_ value: Double) -> String {
    let tenths = Int(floor(10 * value))
    return tenths % 10 == 0 ? "\(tenths / 10)" : fixed(Double(tenths) / 10, 1)
}
