import Contract
import Foundation

private let silence = -200.0

/// Compares raw outputs with the server model's.
///
/// - Throws: ``SamesightError`` a wrong shape, values that are not finite, a precision without a gate, or too much noise;
///   so the unit is not to be used.
func checkSignalToNoise(
    _ cases: [GoldenCase], _ outputs: [[Role: Tensor]], _ spec: ModelSpec, _ precision: String, _ unit: ComputeUnit
) throws {
    for one in outputs { try checkOutputs(one, spec) }
    let least = try gateFor(precision, unit).snrDb
    for role in spec.roles {
        let ratio = decibels(cases.compactMap { $0.outputs[role] }, outputs.compactMap { $0[role] })
        if ratio < least {
            throw SamesightError(
                "\(unit.name): output '\(role.rawValue)' is \(fixed(ratio, 1)) dB from the server model's, "
                    + "at least \(fixed(least, 0)) are asked for; take another unit")
        }
    }
}

/// As Python's: the signal is the reference's energy about its mean per channel, so that a constant scores 0 or less.
func decibels(_ expected: [Tensor], _ actual: [Tensor]) -> Double {
    let channels = expected.first?.shape.last ?? 1
    var sums = [Double](repeating: 0, count: channels)
    var count = 0
    for tensor in expected {
        for (i, value) in tensor.values.enumerated() { sums[i % channels] += Double(value) }
        count += tensor.values.count / channels
    }
    var signal = 0.0
    var noise = 0.0
    for (reference, output) in zip(expected, actual) {
        for (i, value) in reference.values.enumerated() {
            let about = Double(value) - sums[i % channels] / Double(count)
            let error = Double(output.values[i]) - Double(value)
            signal += about * about
            noise += error * error
        }
    }
    if noise == 0 { return .infinity }
    return !noise.isFinite || signal <= 0 ? silence : max(silence, 10 * log10(signal / noise))
}
