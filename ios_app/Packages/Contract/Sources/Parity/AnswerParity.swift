import Contract

/// Answers of raw outputs from a seed: label, index, score and box as the bits of float32.
func answerParity(_ one: Case) throws -> String {
    try sentenceOr {
        let spec = try one.spec()
        var generator = one.seed
        var outputs: [Role: Tensor] = [:]
        for role in spec.roles {
            let output = one.element("outputs").element(role.rawValue)
            outputs[role] = Tensor(output.element("shape").list.map(\.number), randomValues(&generator, output))
        }
        let geometry = geometry(one.int("width"), one.int("height"), try one.orientation(), spec.input)
        return try answers(outputs, spec, geometry, upright: one.flag("upright")).map { answer in
            let box = answer.box.map { [$0.x1, $0.y1, $0.x2, $0.y2] } ?? []
            return ([answer.label, "\(answer.index)"] + ([answer.score] + box).map(bits)).joined(separator: " ")
        }.joined(separator: ";")
    }
}

/// Multiples of 1/64, so that ties come up; or int8 values dequantized.
private func randomValues(_ generator: inout Generator, _ output: Case) -> [Float] {
    let size = output.element("shape").list.reduce(1) { $0 * $1.number }
    let bounds = output.element("bounds").list.map(\.number)
    let drawn = (0..<size).map { _ in generator.below(bounds[1] - bounds[0] + 1) + bounds[0] }
    if !output.has("scale") { return drawn.map { Float($0) / 64 } }
    let scale = Double(output.text("scale")) ?? 0
    var values = [Float](repeating: 0, count: size)
    dequantize(
        drawn.map { UInt8(truncatingIfNeeded: $0) }, signed: true, scale: scale, zeroPoint: output.int("zero_point"),
        into: &values)
    return values
}

private func bits(_ value: Float) -> String {
    let text = String(value.bitPattern, radix: 16)
    return String(repeating: "0", count: 8 - text.count) + text
}
