import Foundation

/// What makes scores of logits.
public enum Activation: String, CaseIterable, Sendable {
    case none, softmax, sigmoid
}

private let log2E = 1.44269504088896338700

// ln 2 in two parts; the first ends in zeros, so that k * LN2_HIGH is exact (fdlibm's e_exp.c).
private let ln2High = 6.93147180369123816490e-01
private let ln2Low = 1.90821492927058770002e-10
private let underflow = -700.0

/// The exponential of `x` for x <= 5, within 2 units in the last place; 0 below -700.
///
/// Only additions, multiplications and a power of two, none of them fused: a library's exp differs by a bit from system
/// to system, and with it a score, an order or an answer.
func exp(_ x: Double) -> Double {
    if x < underflow { return 0 }
    let k = floor(x * log2E + 0.5)
    let r = (x - k * ln2High) - k * ln2Low
    // Taylor's series: the coefficient of power n is 1 / n!.
    var power = 1.0 / 6_227_020_800
    power = power * r + 1.0 / 479_001_600
    power = power * r + 1.0 / 39_916_800
    power = power * r + 1.0 / 3_628_800
    power = power * r + 1.0 / 362_880
    power = power * r + 1.0 / 40_320
    power = power * r + 1.0 / 5_040
    power = power * r + 1.0 / 720
    power = power * r + 1.0 / 120
    power = power * r + 1.0 / 24
    power = power * r + 1.0 / 6
    power = power * r + 1.0 / 2
    power = power * r + 1
    power = power * r + 1
    // From -700 on, the result and 2^k are normal numbers.
    return power * Double(sign: .plus, exponent: Int(k), significand: 1)
}

/// 1 / (1 + exp(-x)), computed as e / (1 + e) with e = exp(x) for negative x.
func sigmoid(_ logit: Float) -> Float {
    let e = exp(-abs(Double(logit)))
    return Float((logit < 0 ? e : 1) / (1 + e))
}

/// One score of exp(x - greatest) / sum over the logits, the sum taken from the first class to the last.
///
/// - Parameters:
///   - logits: finite, one per class.
///   - index: of the class whose score is asked for.
func softmax(_ logits: UnsafeBufferPointer<Float>, _ index: Int) -> Float {
    var greatest = logits[0]
    for logit in logits where logit > greatest { greatest = logit }
    var total = 0.0
    for logit in logits { total += exp(Double(logit) - Double(greatest)) }
    return Float(exp(Double(logits[index]) - Double(greatest)) / total)
}

/// The score of class `index` in a row of logits.
func activate(_ logits: UnsafeBufferPointer<Float>, _ index: Int, _ activation: Activation) -> Float {
    switch activation {
    case .none: logits[index]
    case .softmax: softmax(logits, index)
    case .sigmoid: sigmoid(logits[index])
    }
}

/// The least raw value whose candidate is kept for a score threshold in 0...1.
///
/// Under sigmoid float32(log(t / (1 - t))), -inf for 0 and inf for 1; else float32(t).
func rawThreshold(_ score: Double, _ activation: Activation) -> Float {
    if activation != .sigmoid { return Float(score) }
    if score == 0 { return -.infinity }
    if score == 1 { return .infinity }
    return Float(log(score / (1 - score)))
}
