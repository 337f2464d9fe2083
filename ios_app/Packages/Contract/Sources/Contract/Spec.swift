/// What an output is, in the order of every artifact's outputs.
public enum Role: String, CaseIterable, Sendable {
    case logits, boxes, objectness
}

/// The network's channels; `count` of them.
public enum Channels: String, CaseIterable, Sendable {
    case rgb, bgr, grey

    public var count: Int { self == .grey ? 1 : 3 }
}

/// Which part of the upright image the network sees.
public enum Framing: Hashable, Sendable {
    /// The whole image resized to the input size, whatever its aspect.
    case stretch
    /// The shorter side resized, then the middle cut out (torchvision's Resize and CenterCrop).
    case crop(resizeShorter: Int)
    /// The whole image fitted inside the input size with its aspect kept, centred on a border of level `pad`.
    case letterbox(pad: Int = 114)
    /// The whole image resized to `resizeWidth` x `resizeHeight`, whatever its aspect, then the middle cut out.
    case stretchCrop(resizeWidth: Int, resizeHeight: Int)
}

/// How an image becomes the network's input.
///
/// `valueRange`, `mean` and `std` tell what the *original* network takes; artifacts take 0...255. `background` is the
/// colour that shows through transparent pixels.
public struct Input: Hashable, Sendable {
    public let width: Int
    public let height: Int
    public let channels: Channels
    public let framing: Framing
    public let filter: Filter
    public let background: [Int]
    public let valueRange: [Double]
    public let mean: [Double]
    public let std: [Double]

    init(
        width: Int, height: Int, channels: Channels = .rgb, framing: Framing = .stretch, filter: Filter = .bilinear,
        background: [Int] = [255, 255, 255], valueRange: [Double] = [0, 1], mean: [Double], std: [Double]
    ) throws {
        self.width = width
        self.height = height
        self.channels = channels
        self.framing = framing
        self.filter = filter
        self.background = background
        self.valueRange = valueRange
        self.mean = mean
        self.std = std
        for (field, values) in [("mean", mean), ("std", std)] {
            try require(
                values.count == channels.count,
                "\(field) has \(values.count) values, but \(channels.rawValue) has \(channels.count) channels")
        }
        let (low, high) = (valueRange[0], valueRange[1])
        try require(low < high, "value_range must rise, not [\(decimal(low)), \(decimal(high))]")
        if case .crop(let shorter) = framing {
            try require(
                shorter >= max(width, height),
                "resize_shorter \(shorter) is smaller than the input \(width) x \(height): the crop would leave the image"
            )
        }
        if case .stretchCrop(let across, let down) = framing {
            try require(
                across >= width && down >= height,
                "\(across) x \(down) is smaller than the input \(width) x \(height): the crop would leave the image")
        }
    }
}

/// Where a role is in the original network's outputs: channels `start` to `stop` of one output tensor.
///
/// For detection `channelAxis` is 2 for [1, N, channels] and 1 for [1, channels, N]; for classification 1.
public struct OutputSlice: Sendable {
    public let tensor: String
    public let channelAxis: Int?
    public let start: Int
    public let stop: Int?

    init(tensor: String, channelAxis: Int? = nil, start: Int = 0, stop: Int? = nil) throws {
        self.tensor = tensor
        self.channelAxis = channelAxis
        self.start = start
        self.stop = stop
        if let stop {
            try require(stop > start, "slice of \(quoted(tensor)) is empty: start \(start), stop \(stop)")
        }
    }
}

/// The original network's outputs by name, in order, and which part of them plays which role.
///
/// Artifacts always have one output per role: logits [1, C] or [1, N, C], boxes [1, N, 4], objectness [1, N, 1].
public struct Outputs: Sendable {
    public let tensors: [String]
    public let roles: [Role: OutputSlice]
    public let activation: Activation

    /// - Parameter roles: in the order of the text, which tells the first fault.
    init(tensors: [String], roles: [(Role, OutputSlice)], activation: Activation) throws {
        self.tensors = tensors
        self.roles = Dictionary(roles) { $1 }
        self.activation = activation
        try require(Set(tensors.map(Exact.init)).count == tensors.count, "two outputs have the same name")
        for (role, part) in roles {
            try require(
                tensors.contains { same($0, part.tensor) },
                "role '\(role.rawValue)' names output \(quoted(part.tensor)), but the outputs are "
                    + "[\(tensors.map(quoted).joined(separator: ", "))]")
        }
        try require(self.roles[.logits] != nil, "no output plays the role 'logits'")
    }
}

/// What the four numbers of a raw box are.
public enum Coding: String, CaseIterable, Sendable {
    case distances, corners
    case centerSize = "center_size"
    case anchorDeltas = "anchor_deltas"
}

/// What a raw box counts in: input pixels, the input's width and height, the cell's size, or the anchor's.
public enum BoxUnit: String, CaseIterable, Sendable {
    case pixels, fraction, stride, anchor
}

/// Of all grids together; a table of them is set up.
private let mostPositions = 1 << 22

/// A grid of `columns` x `rows` cells with the same anchors in each, all in input pixels.
///
/// The point of cell (column, row) is ((column + offset) * step x, (row + offset) * step y); each of the `anchors`, a
/// width and a height, has its middle there.
public struct AnchorGrid: Sendable {
    public let columns: Int
    public let rows: Int
    public let step: [Double]
    public var offset = 0.5
    public let anchors: [[Double]]

    init(columns: Int, rows: Int, step: [Double], offset: Double = 0.5, anchors: [[Double]]) {
        self.columns = columns
        self.rows = rows
        self.step = step
        self.offset = offset
        self.anchors = anchors
    }
}

/// What the four numbers of a raw box mean.
///
/// `distances`: left, top, right, bottom from the middle of a grid cell; `strides` lists the grids in order, each
/// row-major with width div stride columns and height div stride rows; or from the points of `grids`. `corners`: x1, y1,
/// x2, y2. `centerSize`: cx, cy, w, h. `anchorDeltas`: how far the middle is from an anchor's, in its widths and heights,
/// and the logarithms of how much wider and higher the box is, each times its number of `divisors`. `grids` are listed
/// in order, each row-major, and in a cell anchor by anchor.
public struct BoxCoding: Sendable {
    public let coding: Coding
    public let unit: BoxUnit
    public let strides: [Int]
    public let grids: [AnchorGrid]
    public let divisors: [Double]

    init(
        _ coding: Coding, unit: BoxUnit = .pixels, strides: [Int] = [], grids: [AnchorGrid] = [],
        divisors: [Double] = [1, 1, 1, 1]
    ) throws {
        self.coding = coding
        self.unit = unit
        self.strides = strides
        self.grids = grids
        self.divisors = divisors
        try require(
            coding != .distances || strides.isEmpty != grids.isEmpty,
            "the coding 'distances' needs strides or grids, one of them")
        try require(coding == .distances || strides.isEmpty, "strides are for the coding 'distances'")
        try require(coding != .anchorDeltas || !grids.isEmpty, "the coding 'anchor_deltas' needs grids")
        try require(
            (coding != .corners && coding != .centerSize) || grids.isEmpty,
            "grids are for the codings 'distances' and 'anchor_deltas'")
        try require(
            unit != .stride || !strides.isEmpty, "the unit 'stride' is for the coding 'distances' with strides")
        try require(
            unit != .anchor || (coding == .distances && !grids.isEmpty),
            "the unit 'anchor' is for the coding 'distances' with grids")
        try require(
            coding != .anchorDeltas || unit == .pixels,
            "the coding 'anchor_deltas' counts in anchors and has no other unit")
        try require(
            coding == .anchorDeltas || divisors.allSatisfy { $0 == 1 }, "divisors are for the coding 'anchor_deltas'")
        let positions = grids.reduce(0) { $0 + $1.columns * $1.rows * $1.anchors.count }
        try require(positions <= mostPositions, "the grids have \(positions) positions, more than \(mostPositions)")
    }
}

public enum Suppression: String, CaseIterable, Sendable {
    case classWise = "class_wise"
    case none
}

/// How a class's score and objectness become one score.
public enum Combination: String, CaseIterable, Sendable {
    case product
    case geometricMean = "geometric_mean"
}

/// How raw heads become boxes: coding, thresholds, suppression, and how objectness goes into a score.
public struct Detection: Sendable {
    public let boxes: BoxCoding
    public var background: Int?
    public var scoreThreshold = 0.4
    public var iouThreshold = 0.5
    public var maxDetections = 100
    public var suppression = Suppression.classWise
    public var objectness = Combination.product
}

/// One model: name, task, input, outputs, labels. Written as `model.json`; `docs/contract.md` says what fields mean.
public struct ModelSpec: Sendable {
    public let name: String
    public let task: ModelTask
    public let input: Input
    public let outputs: Outputs
    public let detection: Detection?
    public let labels: [String]
    public let topK: Int

    init(
        name: String, task: ModelTask, input: Input, outputs: Outputs, detection: Detection? = nil, labels: [String],
        topK: Int = 5
    ) throws {
        self.name = name
        self.task = task
        self.input = input
        self.outputs = outputs
        self.detection = detection
        self.labels = labels
        self.topK = topK
        if let problem = labelProblem(labels) { throw Contradiction(message: problem) }
        try tasks[task]?.checkSpec(self)
    }

    /// The roles of this model in their fixed order.
    public var roles: [Role] { Role.allCases.filter { outputs.roles[$0] != nil } }

    /// Channels of the logits: one per label, and one more where there is a background class.
    public var classCount: Int { labels.count + (detection?.background == nil ? 0 : 1) }
}

/// Reads a spec from JSON.
///
/// - Throws: ``SamesightError`` not JSON, of a newer schema, or contradicting itself; the sentence begins with `source`.
public func parseSpec(_ text: [UInt8], _ source: String) throws -> ModelSpec {
    try parseDocument("ModelSpec", text, source, modelSpec)
}

/// Reads `model.json`.
///
/// - Throws: ``SamesightError`` as ``parseSpec(_:_:)``, or the file cannot be read.
public func readSpec(_ file: String) throws -> ModelSpec { try readDocument("ModelSpec", file, modelSpec) }

extension ModelSpec {
    /// The same model with another least score of what it finds; of a task without one nothing changes.
    public func asking(scoreThreshold: Double) throws -> ModelSpec {
        guard var rule = detection else { return self }
        rule.scoreThreshold = scoreThreshold
        return try ModelSpec(
            name: name, task: task, input: input, outputs: outputs, detection: rule, labels: labels, topK: topK)
    }
}
