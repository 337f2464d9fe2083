import Contract
import Engines

/// Answers of one image, boxes in pixels of the upright one, and what they took.
struct Analysis: Sendable {
    let answers: [Answer]
    let latency: Latency
}

/// One model's way from an image to answers.
actor ImageAnalyzer {
    private let spec: ModelSpec
    private let network: @Sendable ([UInt8]) async throws -> [Role: Tensor]
    private let clock: @Sendable () -> Int
    private let preprocessor: Preprocessor
    private let queue = QueueExecutor("samesight.images")
    private var asked: ModelSpec

    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - network: such as ``ModelHolder/run(_:)``.
    ///   - clock: nanoseconds.
    init(
        _ spec: ModelSpec, _ clock: @escaping @Sendable () -> Int,
        _ network: @escaping @Sendable ([UInt8]) async throws -> [Role: Tensor]
    ) {
        self.spec = spec
        self.network = network
        self.clock = clock
        preprocessor = Preprocessor(spec.input)
        asked = spec
    }

    /// The least score that is asked for; nil: the spec's own. Of a task without one nothing changes.
    func ask(_ threshold: Float?) throws {
        asked = try threshold.map { try spec.asking(scoreThreshold: Double($0)) } ?? spec
    }

    /// - Throws: ``SamesightError`` the network fails.
    func analyze(_ picture: Picture) async throws -> Analysis { try await timed { $0.run(picture) } }

    /// - Throws: ``SamesightError`` the frame's planes are too short, or the network fails.
    func analyze(_ frame: CameraFrame) async throws -> Analysis {
        try await timed { try frame.pixels.prepare($0, frame.orientation) }
    }

    private func timed(_ prepare: (Preprocessor) throws -> Geometry) async throws -> Analysis {
        let start = clock()
        let geometry = try prepare(preprocessor)
        let prepared = clock()
        let outputs = try await network(preprocessor.tensor)
        let ran = clock()
        let answers = try answers(outputs, asked, geometry, upright: true)
        let done = clock()
        func span(_ from: Int, _ to: Int) -> Float { Float(to - from) / 1e6 }
        let latency = Latency(preprocess: span(start, prepared), network: span(prepared, ran), answers: span(ran, done))
        return Analysis(answers: answers, latency: latency)
    }
}

/// The frame as people see it, a mirror's image where they expect one.
func shown(_ frame: CameraFrame) throws -> Pixels {
    let (width, height) = (frame.pixels.width, frame.pixels.height)
    let turned = upright(try frame.pixels.rgb(), width, height, frame.orientation)
    return frame.mirror ? mirrored(turned) : turned
}

/// The picture as people see it, with every n-th pixel of a large one: enough for a screen.
///
/// - Parameter most: pixels of the longer side.
func shown(_ picture: Picture, most: Int = 1600) -> Pixels {
    let step = (max(picture.width, picture.height) + most - 1) / most
    if step == 1 { return upright(picture.pixels, picture.width, picture.height, picture.orientation) }
    let width = (picture.width + step - 1) / step
    let height = (picture.height + step - 1) / step
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * width * height)
    for y in 0..<height {
        for x in 0..<width {
            let from = 3 * (y * step * picture.width + x * step)
            pixels.append(contentsOf: picture.pixels[from..<from + 3])
        }
    }
    return upright(pixels, width, height, picture.orientation)
}

/// Answers of an image of that width as they lie in its mirror image.
func mirrored(_ answers: [Answer], _ width: Int) -> [Answer] {
    answers.map { answer in
        let box = answer.box.map { Box(x1: Float(width) - $0.x2, y1: $0.y1, x2: Float(width) - $0.x1, y2: $0.y2) }
        return Answer(label: answer.label, index: answer.index, score: answer.score, box: box)
    }
}

private func mirrored(_ image: Pixels) -> Pixels {
    var rgb = image.rgb
    for y in 0..<image.height {
        for x in 0..<image.width {
            for c in 0..<3 {
                rgb[3 * (y * image.width + x) + c] = image.rgb[3 * (y * image.width + image.width - 1 - x) + c]
            }
        }
    }
    return Pixels(rgb: rgb, width: image.width, height: image.height)
}

private func upright(_ rgb: [UInt8], _ width: Int, _ height: Int, _ orientation: Orientation) -> Pixels {
    Pixels(
        rgb: orientation.upright(rgb, width, height), width: orientation.uprightWidth(width, height),
        height: orientation.uprightHeight(width, height))
}
