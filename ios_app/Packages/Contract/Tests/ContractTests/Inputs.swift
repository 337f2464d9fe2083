@testable import Contract

/// An input with means and deviations that nothing here looks at.
func makeInput(
    _ width: Int, _ height: Int, _ framing: Framing = .stretch, _ filter: Filter = .bilinear,
    _ channels: Channels = .rgb
) throws -> Input {
    let halves = [Double](repeating: 0.5, count: channels.count)
    return try Input(
        width: width, height: height, channels: channels, framing: framing, filter: filter, mean: halves, std: halves)
}

func randomInput(_ generator: inout Generator) throws -> Input {
    let width = randomSide(&generator, 40)
    let height = randomSide(&generator, 40)
    let framings: [Framing] = [
        .stretch, .crop(resizeShorter: max(width, height) + generator.below(9)), .letterbox(pad: generator.below(256)),
    ]
    let framing = framings[generator.below(3)]
    return try makeInput(width, height, framing, generator.one(), generator.one())
}

func randomOrientation(_ generator: inout Generator) throws -> Orientation {
    try Orientation(quarterTurns: generator.below(4), mirrored: generator.below(2) == 1)
}

extension Generator {
    /// One value of an enumeration.
    mutating func one<E: CaseIterable>() -> E {
        let all = Array(E.allCases)
        return all[below(all.count)]
    }
}

/// Two classes on an input of 32 x 32 with a grid of stride 4, and objectness.
func makeDetector(_ activation: Activation, most: Int = 20) throws -> ModelSpec {
    var detection = Detection(boxes: try BoxCoding(.distances, strides: [4]))
    detection.maxDetections = most
    let roles: [(Role, OutputSlice)] = [
        (.logits, try OutputSlice(tensor: "l")), (.boxes, try OutputSlice(tensor: "b")),
        (.objectness, try OutputSlice(tensor: "o")),
    ]
    return try ModelSpec(
        name: "finder", task: .detection, input: makeInput(32, 32),
        outputs: Outputs(tensors: ["l", "b", "o"], roles: roles, activation: activation), detection: detection,
        labels: ["a", "b"])
}

/// The sentence that refuses some work.
func refusal(_ work: () throws -> Void) -> String {
    do {
        try work()
        return "nothing was refused"
    } catch {
        return (error as? SamesightError)?.message ?? "\(error)"
    }
}
