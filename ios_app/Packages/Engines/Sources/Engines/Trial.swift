import Contract
import Foundation

/// What came of one unit: refused, or figures.
public struct Trial: Equatable, Sendable {
    public let unit: ComputeUnit
    /// nil where refused.
    public var proof: Proof?
    /// nil where refused.
    public var times: Times?
    /// Slower than the CPU, whose time is known, by more than a tenth.
    public var slower: Bool
    public var delegates: [String]
    /// The runtime's words, or what was wrong with its outputs; nil where it works.
    public var refusal: String?
    /// How it was asked for at last.
    public var mode: Mode
    /// What else is to be said of it, such as that float16 was too coarse.
    public var notes: [String]

    public init(
        _ unit: ComputeUnit, proof: Proof? = nil, times: Times? = nil, slower: Bool = false, delegates: [String] = [],
        refusal: String? = nil, mode: Mode = .alone, notes: [String] = []
    ) {
        self.unit = unit
        self.proof = proof
        self.times = times
        self.slower = slower
        self.delegates = delegates
        self.refusal = refusal
        self.mode = mode
        self.notes = notes
    }

    /// One line for people.
    public var line: String {
        guard let times else { return "\(unit.name): refused: \(refusal ?? "")" }
        let figures =
            "\(fixed(times.steady, 2)) ms a run, first \(fixed(times.first, 2)) ms, load \(fixed(times.load, 1)) ms"
        let remarks = [proof?.text, slower ? "slower than the CPU" : nil].compactMap { $0 } + notes + delegates
        return "\(unit.name): \(figures) (\(remarks.joined(separator: ", ")))"
    }
}

/// A number with so many digits after the point, whatever the language of the phone.
public func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
