import Contract
import Foundation

// What ios_app/benchmark.py runs: the contract's speed, on the same work as android_app/benchmark.

private let width = 1280
private let height = 720
private let boxCount = 3000
private let objectCount = 150
private let warmUp = 30

/// `ROUNDS`: prints one line per job: its name, a tab, and the median of its milliseconds of this thread's time.
@main
struct Benchmark {
    static func main() throws {
        let rounds = Int(CommandLine.arguments[1]) ?? 200
        var generator = Generator(1)
        let image = randomImage(&generator, width, height)
        let frame = rgbToYuv420(image, width, height, .nv21)
        var bgra = [UInt8](repeating: 255, count: 4 * width * height)
        for i in 0..<width * height {
            for c in 0..<3 { bgra[4 * i + c] = image[3 * i + 2 - c] }
        }
        let jobs: [(String, String, Int, Int)] = [
            ("letterbox 320", #"{"rule": "letterbox"}"#, 320, 0),
            ("letterbox 320, held upright", #"{"rule": "letterbox"}"#, 320, 1),
            ("crop 256 to 224", #"{"rule": "crop", "resize_shorter": 256}"#, 224, 0),
            ("crop 256 to 224, held upright", #"{"rule": "crop", "resize_shorter": 256}"#, 224, 1),
        ]
        for (name, framing, side, quarters) in jobs {
            let orientation = try Orientation(quarterTurns: quarters)
            let input = try classifier(side, framing).input
            let ofYuv = Preprocessor(input)
            let ofBgra = Preprocessor(input)
            try frame.withUnsafeBytes {
                let frame = try yuv420FromBytes($0, width, height, .nv21)
                try report("YUV, \(name)", rounds) { try ofYuv.run(frame, .bt601, .video, orientation) }
            }
            try bgra.withUnsafeBytes {
                let frame = PixelFrame(width, height, $0, rowStride: 4 * width, order: .bgra)
                try report("BGRA, \(name)", rounds) { try ofBgra.run(frame, orientation) }
            }
        }
        let (boxes, logits) = candidates()
        let detector = try Detector(try detector(), positions: boxCount)
        let kept = try detector.run(logits: logits, boxes: boxes, objectness: nil).count
        try report("suppression of \(boxCount) boxes (\(kept) stay)", rounds) {
            _ = try detector.run(logits: logits, boxes: boxes, objectness: nil)
        }
    }
}

private func report(_ name: String, _ rounds: Int, _ work: () throws -> Void) throws {
    for _ in 0..<warmUp { try work() }
    let times = try (0..<rounds).map { _ in
        let start = threadMilliseconds()
        try work()
        return threadMilliseconds() - start
    }
    print("\(name)\t\(times.sorted()[rounds / 2])")
}

/// Milliseconds that this thread has worked: other programs do not count.
private func threadMilliseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
}

private func classifier(_ side: Int, _ framing: String) throws -> ModelSpec {
    let text = """
        {"name": "benchmark", "task": "classification", "labels": ["a"],
         "input": {"width": \(side), "height": \(side), "framing": \(framing), "mean": [0, 0, 0], "std": [1, 1, 1]},
         "outputs": {"tensors": ["l"], "roles": {"logits": {"tensor": "l"}}, "activation": "none"}}
        """
    return try parseSpec(Array(text.utf8), "benchmark")
}

private func detector() throws -> ModelSpec {
    let text = """
        {"name": "benchmark", "task": "detection", "labels": ["a", "b", "c"],
         "input": {"width": 640, "height": 640, "mean": [0, 0, 0], "std": [1, 1, 1]},
         "outputs": {"tensors": ["l", "b"], "roles": {"logits": {"tensor": "l"}, "boxes": {"tensor": "b"}},
                     "activation": "none"},
         "detection": {"boxes": {"coding": "corners"}, "score_threshold": 0.1, "max_detections": \(boxCount)}}
        """
    return try parseSpec(Array(text.utf8), "benchmark")
}

/// Boxes around some objects, corners [K, 4], and the logits of three classes.
private func candidates() -> (boxes: [Float], logits: [Float]) {
    var generator = Generator(2)
    let objects = (0..<objectCount).map { _ in (0..<4).map { _ in Float(20 + generator.below(500)) } }
    var boxes: [Float] = []
    for i in 0..<boxCount {
        let moved = objects[i % objectCount].map { $0 + Float(generator.below(9)) - 4 }
        boxes += [moved[0], moved[1], moved[0] + moved[2] / 4, moved[1] + moved[3] / 4]
    }
    var logits = [Float](repeating: 0, count: 3 * boxCount)
    for i in 0..<boxCount {
        let score = Float(generator.below(1 << 20)) / 2e6
        logits[3 * i + i % objectCount % 3] = 0.2 + score
    }
    return (boxes, logits)
}
