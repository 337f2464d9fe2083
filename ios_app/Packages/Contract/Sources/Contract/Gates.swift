/// The least that an artifact of one precision must reach to ship.
public struct Gate: Hashable, Sendable {
    /// Pooled signal-to-noise ratio of every raw output, in dB; the signal is the reference's energy about its mean per
    /// channel, so that a constant output scores 0 dB or less.
    public let snrDb: Double
    /// Share of answers that are the server model's (top-1; boxes of the same label and IoU >= `iou`).
    public let agreement: Double
    /// What makes two boxes of the same label the same answer.
    public let iou: Double
    /// The most that the task metric (0...1) may lose.
    public let metricDrop: Double
}

/// The gates by precision, in the order of the table that `docs/parity.md` shows.
public let gates: KeyValuePairs<String, Gate> = [
    "fp32": Gate(snrDb: 80, agreement: 0.995, iou: 0.95, metricDrop: 0.002),
    "fp16": Gate(snrDb: 40, agreement: 0.995, iou: 0.95, metricDrop: 0.002),
    "int8": Gate(snrDb: 18, agreement: 0.98, iou: 0.8, metricDrop: 0.01),
    "dynamic-int8": Gate(snrDb: 18, agreement: 0.98, iou: 0.8, metricDrop: 0.01),
    "int8-weights": Gate(snrDb: 30, agreement: 0.99, iou: 0.8, metricDrop: 0.005),
    "palette6": Gate(snrDb: 22, agreement: 0.98, iou: 0.8, metricDrop: 0.01),
    "palette4": Gate(snrDb: 13, agreement: 0.96, iou: 0.8, metricDrop: 0.01),
    "w8a16": Gate(snrDb: 30, agreement: 0.99, iou: 0.8, metricDrop: 0.005),
    "int4-weights": Gate(snrDb: 13, agreement: 0.96, iou: 0.8, metricDrop: 0.01),
    "mixed": Gate(snrDb: 18, agreement: 0.98, iou: 0.8, metricDrop: 0.01),
]

/// Int8 artifacts of one bundle come from one quantized program: the mean distance of their outputs, in steps of the
/// output, that is still due to the runtimes' rounding.
public let stepsApart = 0.5

/// The gate of an artifact of this precision on this unit: fp32 has that of fp16 on a GPU or an NPU, which compute in
/// halves.
///
/// - Throws: ``SamesightError`` the precision is not known here.
public func gateFor(_ precision: String, _ unit: ComputeUnit) throws -> Gate {
    let computed = same(precision, "fp32") && unit != .cpu ? "fp16" : precision
    guard let gate = gates.first(where: { same($0.key, computed) })?.value else {
        let known = gates.map(\.key).joined(separator: ", ")
        throw SamesightError("precision \(quoted(precision)) has no gate here (known: \(known)); update samesight")
    }
    return gate
}
