/// What was found, best first: the first `count` entries of each array.
public final class Detections {
    public fileprivate(set) var count = 0
    /// x1, y1, x2, y2 with x1 <= x2, y1 <= y2, in input pixels, not clipped.
    public fileprivate(set) var boxes: [Box]
    /// float32.
    public fileprivate(set) var scores: [Float]
    /// Into the spec's labels (a background class is not counted).
    public fileprivate(set) var classes: [Int]
    /// Where in the heads each was found.
    public fileprivate(set) var positions: [Int]

    fileprivate init(_ capacity: Int) {
        boxes = [Box](repeating: Box(x1: 0, y1: 0, x2: 0, y2: 0), count: capacity)
        scores = [Float](repeating: 0, count: capacity)
        classes = [Int](repeating: 0, count: capacity)
        positions = [Int](repeating: 0, count: capacity)
    }
}

/// ``detect(_:_:)`` for one image after the other: allocates nothing after construction.
public final class Detector {
    private let spec: ModelSpec
    private let rule: Detection
    private let positions: Int
    private let grid: Buffer<Float>
    private let threshold: Float
    private let classes: Buffer<Int32>
    private let ranking: Buffer<Float>
    private let order: Buffer<Int64>
    private let candidates: Buffer<Candidate>
    private let kept: Buffer<Int32>
    private let detections: Detections

    /// - Parameters:
    ///   - spec: of the task detection.
    ///   - positions: N of the heads.
    public init(_ spec: ModelSpec, positions: Int) throws {
        guard let rule = spec.detection else {
            throw SamesightError(
                "model \(spec.name): its task is \(spec.task.rawValue), but detection was asked for")
        }
        self.spec = spec
        self.rule = rule
        self.positions = positions
        grid = Buffer(gridPoints(rule.boxes, spec.input))
        threshold = rawThreshold(rule.scoreThreshold, spec.outputs.activation)
        classes = Buffer(repeating: 0, count: positions)
        ranking = Buffer(repeating: 0, count: positions)
        order = Buffer(repeating: 0, count: positions)
        let nothing = Candidate(box: Box(x1: 0, y1: 0, x2: 0, y2: 0), area: 0, index: 0)
        candidates = Buffer(repeating: nothing, count: positions)
        kept = Buffer(repeating: 0, count: min(positions, rule.maxDetections))
        detections = Detections(kept.count)
    }

    /// - Parameters:
    ///   - logits: [N, C].
    ///   - boxes: raw ones [N, 4].
    ///   - objectness: [N], or nil where the spec has none.
    /// - Returns: what the next call overwrites.
    /// - Throws: ``SamesightError`` a candidate's box is not finite, or an array is too short.
    public func run(logits: [Float], boxes: [Float], objectness: [Float]?) throws -> Detections {
        let short = logits.count < positions * spec.classCount || boxes.count < 4 * positions
        if short || objectness.map({ $0.count < positions }) == true {
            throw SamesightError("model \(spec.name): an output has fewer than \(positions) positions")
        }
        try logits.withUnsafeBufferPointer { logits in
            try boxes.withUnsafeBufferPointer { boxes in
                if let objectness {
                    try objectness.withUnsafeBufferPointer { try run(logits, boxes, $0) }
                } else {
                    try run(logits, boxes, nil)
                }
            }
        }
        return detections
    }

    private func run(
        _ logits: UnsafeBufferPointer<Float>, _ raw: UnsafeBufferPointer<Float>,
        _ objectness: UnsafeBufferPointer<Float>?
    ) throws {
        let count = rankCandidates(logits, objectness)
        sort(order.start, count)
        for i in 0..<count {
            let position = Int(truncatingIfNeeded: order.start[i] & 0xffff_ffff)
            guard let box = decode(raw, position, rule.boxes, spec.input, grid.start) else { throw notFinite(position) }
            candidates.start[i] = Candidate(box: box, area: box.area, index: classes.start[position])
        }
        let limit = rule.suppression == .classWise ? Float(rule.iouThreshold) : Float.greatestFiniteMagnitude
        detections.count = suppress(candidates.start, count, limit, kept)
        for i in 0..<detections.count { collect(i, Int(kept.start[i]), objectness == nil) }
    }

    /// Fills `order` with what reaches the threshold; how many those are.
    private func rankCandidates(_ logits: UnsafeBufferPointer<Float>, _ objectness: UnsafeBufferPointer<Float>?) -> Int
    {
        let width = spec.classCount
        let activation = spec.outputs.activation
        let isRaw = objectness == nil && activation != .softmax
        let least = objectness == nil ? threshold : Float(rule.scoreThreshold)
        let background = rule.background ?? -1
        var count = 0
        for position in 0..<positions {
            let row = UnsafeBufferPointer(rebasing: logits[position * width..<(position + 1) * width])
            let best = bestClass(row, background)
            var value = isRaw ? row[best] : activate(row, best, activation)
            if let objectness {
                let present = objectness[position]
                value *= activation == .sigmoid ? sigmoid(present) : present
                if rule.objectness == .geometricMean { value = positive(value).squareRoot() }
            }
            classes.start[position] = Int32(best)
            ranking.start[position] = value
            if value >= least {
                order.start[count] = sortKey(value, position)
                count += 1
            }
        }
        return count
    }

    private func collect(_ place: Int, _ candidate: Int, _ withoutObjectness: Bool) {
        let position = Int(truncatingIfNeeded: order.start[candidate] & 0xffff_ffff)
        let rawRanking = withoutObjectness && spec.outputs.activation == .sigmoid
        let index = Int(classes.start[position])
        let value = ranking.start[position]
        detections.boxes[place] = candidates.start[candidate].box
        detections.scores[place] = rawRanking ? sigmoid(value) : value
        detections.classes[place] = index > rule.background ?? .max ? index - 1 : index
        detections.positions[place] = position
    }
}

private func bestClass(_ logits: UnsafeBufferPointer<Float>, _ background: Int) -> Int {
    var best = background == 0 && logits.count > 1 ? 1 : 0
    for c in best + 1..<max(best + 1, logits.count) where c != background && logits[c] > logits[best] { best = c }
    return best
}

private func notFinite(_ position: Int) -> SamesightError {
    SamesightError(
        "the box at position \(position) is not finite; the artifact overflows, take another precision or unit")
}
