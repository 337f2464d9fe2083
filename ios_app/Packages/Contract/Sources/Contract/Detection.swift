/// Boxes with a label each: where objects are.
let detectionRules = TaskRules(
    task: .detection,
    checkSpec: checkDetection,
    expectedShapes: detectionShapes,
    decode: { outputs, spec in
        let found = try detect(outputs, spec)
        return Decoded(
            indices: Array(found.classes[..<found.count]), scores: Array(found.scores[..<found.count]),
            boxes: Array(found.boxes[..<found.count]))
    })

@Sendable
private func checkDetection(_ spec: ModelSpec) throws {
    guard let detection = spec.detection, spec.outputs.roles[.boxes] != nil else {
        throw Contradiction(message: "a detection needs the field 'detection' and the role 'boxes'")
    }
    if let background = detection.background {
        try require(
            background < spec.classCount, "background class \(background) is outside the \(spec.classCount) classes")
        try require(
            spec.outputs.activation != .sigmoid, "a background class goes with softmax or none, not with sigmoid")
    }
    for stride in detection.boxes.strides {
        try require(
            spec.input.width % stride == 0 && spec.input.height % stride == 0,
            "stride \(stride) does not divide the input \(spec.input.width) x \(spec.input.height)")
    }
}

/// As many positions as the logits have; where there are grids, as many as those.
@Sendable
private func detectionShapes(_ spec: ModelSpec, _ shapes: [Role: [Int]]) -> [ExpectedShape] {
    let logits = shapes[.logits] ?? []
    let positions = logits.count == 3 ? logits[1] : 0
    let strides = spec.detection?.boxes.strides ?? []
    var expected = [
        ExpectedShape(role: .logits, shape: [1, positions, spec.classCount], fields: "labels or background"),
        ExpectedShape(role: .boxes, shape: [1, positions, 4], fields: "roles"),
    ]
    if spec.roles.contains(.objectness) {
        expected.append(ExpectedShape(role: .objectness, shape: [1, positions, 1], fields: "roles"))
    }
    if !strides.isEmpty {
        let count = positionCount(strides, spec.input)
        expected.append(ExpectedShape(role: .boxes, shape: [1, count, 4], fields: "strides or input size"))
    }
    return expected
}

/// Boxes of one image.
///
/// - Parameters:
///   - outputs: logits [1, N, C], boxes [1, N, 4], and objectness [1, N, 1] where the spec has it.
///   - spec: of the task detection.
/// - Throws: ``SamesightError`` a candidate's box is not finite.
func detect(_ outputs: [Role: Tensor], _ spec: ModelSpec) throws -> Detections {
    guard let logits = outputs[.logits], let boxes = outputs[.boxes] else {
        throw SamesightError("model \(spec.name): logits or boxes are missing")
    }
    let detector = try Detector(spec, positions: logits.shape[1])
    return try detector.run(logits: logits.values, boxes: boxes.values, objectness: outputs[.objectness]?.values)
}

/// A box x1, y1, x2, y2 in input pixels from the raw box of a position; all in float32.
///
/// - Parameters:
///   - raw: [N, 4].
///   - grid: of ``gridPoints(_:_:)``.
/// - Returns: nil where a raw or decoded value is not finite.
@inline(__always)
func decode(
    _ raw: UnsafeBufferPointer<Float>, _ position: Int, _ coding: BoxCoding, _ input: Input,
    _ grid: UnsafeMutablePointer<Float>
) -> Box? {
    let from = 4 * position
    let stride = coding.unit == .stride ? grid[3 * position + 2] : 1
    let across = coding.unit == .fraction ? Float(input.width) : stride
    let down = coding.unit == .fraction ? Float(input.height) : stride
    let a = raw[from] * across
    let b = raw[from + 1] * down
    let c = raw[from + 2] * across
    let d = raw[from + 3] * down
    let box: Box
    switch coding.coding {
    case .distances:
        let (x, y) = (grid[3 * position], grid[3 * position + 1])
        box = Box(x1: x - positive(a), y1: y - positive(b), x2: x + positive(c), y2: y + positive(d))
    case .corners:
        box = Box(x1: a, y1: b, x2: c > a ? c : a, y2: d > b ? d : b)
    case .centerSize:
        let (halfX, halfY) = (positive(c) * 0.5, positive(d) * 0.5)
        box = Box(x1: a - halfX, y1: b - halfY, x2: a + halfX, y2: b + halfY)
    }
    let rawFinite = raw[from].isFinite && raw[from + 1].isFinite && raw[from + 2].isFinite && raw[from + 3].isFinite
    return rawFinite && box.isFinite ? box : nil
}

private func positive(_ value: Float) -> Float { value > 0 ? value : 0 }

/// Middle x, middle y and stride of every position [N, 3]: grid by grid, each row by row; exact.
func gridPoints(_ strides: [Int], _ input: Input) -> [Float] {
    var result: [Float] = []
    for stride in strides {
        for row in 0..<input.height / stride {
            for column in 0..<input.width / stride {
                result += [(Float(column) + 0.5) * Float(stride), (Float(row) + 0.5) * Float(stride), Float(stride)]
            }
        }
    }
    return result
}

/// How many positions the grids of these strides have.
public func positionCount(_ strides: [Int], _ input: Input) -> Int {
    strides.reduce(0) { $0 + (input.width / $1) * (input.height / $1) }
}
