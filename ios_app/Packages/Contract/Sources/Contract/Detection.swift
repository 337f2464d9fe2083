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
    var expected = [
        ExpectedShape(role: .logits, shape: [1, positions, spec.classCount], fields: "labels or background"),
        ExpectedShape(role: .boxes, shape: [1, positions, 4], fields: "roles"),
    ]
    if spec.roles.contains(.objectness) {
        expected.append(ExpectedShape(role: .objectness, shape: [1, positions, 1], fields: "roles"))
    }
    if let coding = spec.detection?.boxes, !coding.strides.isEmpty || !coding.grids.isEmpty {
        let count = positionCount(coding, spec.input)
        let fields = coding.grids.isEmpty ? "strides or input size" : "grids"
        expected.append(ExpectedShape(role: .boxes, shape: [1, count, 4], fields: fields))
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
