/// How a pixel of the scaled image is weighed together.
public enum Filter: String, CaseIterable, Sendable {
    case bilinear, bicubic

    var reach: Double { self == .bilinear ? 1 : 2 }
}

/// Weights are integers of 22 bits after the point: 8 bits of a pixel and 2 of room more fit 32.
let precisionBits: Int32 = 32 - 8 - 2

let weightHalf: Int32 = 1 << (precisionBits - 1)

/// A rectangle in whole pixels of the scaled image.
public struct Window: Hashable, Sendable {
    public let left: Int
    public let top: Int
    public let width: Int
    public let height: Int
}

/// Which source pixels make each scaled pixel of a line, and with what weights.
struct Weights {
    /// The first source pixel of scaled pixel i; never falls from one i to the next.
    let starts: [Int]
    /// The one after the last; never falls either.
    let stops: [Int]
    /// The weights of scaled pixel i, from i * `stride` on.
    let taps: [Int32]
    let stride: Int

    /// How many scaled pixels there are.
    var count: Int { starts.count }
}

/// Start, stop and 22-bit integer weights of the source pixels that make each of the scaled pixels first..<last.
///
/// - Parameters:
///   - size: of the source line, in pixels.
///   - scaled: of the whole scaled line, in pixels.
func weights(_ size: Int, _ scaled: Int, _ first: Int, _ last: Int, _ filter: Filter) -> Weights {
    let scale = Double(size) / Double(scaled)
    let filterScale = max(scale, 1)
    let support = filter.reach * filterScale
    let inverse = 1 / filterScale
    let centres = (first..<last).map { (Double($0) + 0.5) * scale }
    let starts = centres.map { max(Int($0 - support + 0.5), 0) }
    let stops = centres.map { min(Int($0 + support + 0.5), size) }
    let stride = zip(starts, stops).map { $1 - $0 }.max() ?? 0
    var taps = [Int32](repeating: 0, count: centres.count * stride)
    var real = [Double](repeating: 0, count: stride)
    for (i, centre) in centres.enumerated() {
        let length = stops[i] - starts[i]
        var total = 0.0
        for t in 0..<length {
            real[t] = kernel((Double(starts[i] + t) - centre + 0.5) * inverse, filter)
            total += real[t]
        }
        for t in 0..<length { taps[i * stride + t] = fixed(total != 0 ? real[t] / total : real[t]) }
    }
    return Weights(starts: starts, stops: stops, taps: taps, stride: stride)
}

private func fixed(_ weight: Double) -> Int32 {
    let scaled = weight * Double(1 << precisionBits)
    return Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5)
}

private func kernel(_ position: Double, _ filter: Filter) -> Double {
    let x = abs(position)
    if filter == .bilinear { return x < 1 ? 1 - x : 0 }
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * -0.5 }
    return 0
}

extension Weights {
    /// The weights of a source line of `size` pixels that is stored the other way round.
    func reversed(_ size: Int) -> Weights {
        var turned = taps
        for i in 0..<count {
            let length = stops[i] - starts[i]
            for t in 0..<length { turned[i * stride + t] = taps[i * stride + length - 1 - t] }
        }
        return Weights(starts: stops.map { size - $0 }, stops: starts.map { size - $0 }, taps: turned, stride: stride)
    }
}
