/// A box in pixels of the stored image (or the upright one, or the input), float32.
public struct Box: Hashable, Sendable, BitwiseCopyable {
    public let x1: Float
    public let y1: Float
    public let x2: Float
    public let y2: Float

    public init(x1: Float, y1: Float, x2: Float, y2: Float) {
        self.x1 = x1
        self.y1 = y1
        self.x2 = x2
        self.y2 = y2
    }

    /// Rounded to float32.
    init(_ box: SIMD4<Double>) {
        self.init(x1: Float(box[0]), y1: Float(box[1]), x2: Float(box[2]), y2: Float(box[3]))
    }

    var isFinite: Bool { x1.isFinite && y1.isFinite && x2.isFinite && y2.isFinite }

    var area: Float { (x2 - x1) * (y2 - y1) }
}

/// One class or one found object.
public struct Answer: Equatable, Sendable {
    /// The class's name.
    public let label: String
    /// Of `label` in the spec's labels.
    public let index: Int
    public let score: Float
    /// nil for a task without boxes.
    public let box: Box?

    public init(label: String, index: Int, score: Float, box: Box? = nil) {
        self.label = label
        self.index = index
        self.score = score
        self.box = box
    }
}

/// The answers of one image, best first.
///
/// - Parameters:
///   - outputs: one per role: logits [1, C]; or logits [1, N, C], boxes [1, N, 4], objectness [1, N, 1].
///   - geometry: of the image, from ``preprocess(_:_:)``; boxes are mapped back with it; without boxes none is needed.
///   - upright: boxes in pixels of the upright image (for drawing), not of the stored one.
/// - Throws: ``SamesightError`` the outputs contradict the spec or are not finite; or boxes without geometry.
public func answers(
    _ outputs: [Role: Tensor], _ spec: ModelSpec, _ geometry: Geometry? = nil, upright: Bool = false
) throws -> [Answer] {
    try checkOutputs(outputs, spec)
    if spec.roles.contains(.boxes) { _ = try required(geometry, spec) }
    guard let decoded = try tasks[spec.task]?.decode(outputs, spec) else { return [] }
    return try decoded.indices.enumerated().map { place, index in
        var box: Box?
        if let boxes = decoded.boxes {
            let geometry = try required(geometry, spec)
            box = upright ? geometry.toUpright(boxes[place]) : geometry.toStored(boxes[place])
        }
        return Answer(label: spec.labels[index], index: index, score: decoded.scores[place], box: box)
    }
}

private func required(_ geometry: Geometry?, _ spec: ModelSpec) throws -> Geometry {
    guard let geometry else {
        throw SamesightError("model \(spec.name): boxes need the geometry of the image that preprocess returns")
    }
    return geometry
}

/// Compares raw outputs with the spec.
///
/// - Throws: ``SamesightError`` a role is missing, its class count or number of positions differs from what the spec asks
///   for, or logits or objectness hold values that are not finite.
public func checkOutputs(_ outputs: [Role: Tensor], _ spec: ModelSpec) throws {
    try checkShapes(outputs.mapValues(\.shape), spec)
    for role in spec.roles where role != .boxes {
        if outputs[role]?.values.allSatisfy(\.isFinite) != true {
            throw SamesightError(
                "model \(spec.name): output '\(role.rawValue)' holds values that are not finite; "
                    + "the artifact overflows, take another precision or unit")
        }
    }
}

/// Compares the shapes of the outputs by role with the spec (see ``checkOutputs(_:_:)``).
public func checkShapes(_ shapes: [Role: [Int]], _ spec: ModelSpec) throws {
    if let missing = spec.roles.first(where: { shapes[$0] == nil }) {
        throw SamesightError(
            "model \(spec.name): no output for the role '\(missing.rawValue)', which the spec's roles name")
    }
    for expected in tasks[spec.task]?.expectedShapes(spec, shapes) ?? [] {
        let shape = shapes[expected.role] ?? []
        if shape != expected.shape {
            throw SamesightError(
                "model \(spec.name): output '\(expected.role.rawValue)' is \(shape), but the spec means "
                    + "\(expected.shape); correct \(expected.fields) in model.json")
        }
    }
}
