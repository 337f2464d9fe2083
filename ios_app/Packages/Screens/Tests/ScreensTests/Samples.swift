import Contract
import Engines
import Foundation

@testable import Screens

// Bundles of two networks of 2 x 1 pixels. "sums" ranks its two pixels by brightness; "spots" finds one box from the
// left edge to as far right as its first pixel is red, of half the height and more as it is green.

func networkOutputs(_ task: ModelTask, _ tensor: [UInt8]) -> [Role: Tensor] {
    let levels = tensor.map(Float.init)
    if task == .classification {
        let sums: [Float] = [levels[0] + levels[1] + levels[2], levels[3] + levels[4] + levels[5]]
        return [.logits: Tensor([1, 2], sums.map { $0 / 100 })]
    }
    let logit: Float = 1 + levels[2] / 255
    let box: [Float] = [0, 0, levels[0] / 255, 0.5 + levels[1] / 510]
    return [.logits: Tensor([1, 1, 1], [logit]), .boxes: Tensor([1, 1, 4], box)]
}

func newFolder() -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("samesight-\(UUID().uuidString)").path
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
}

private func write(_ bytes: [UInt8], _ path: String) {
    let folder = (path as NSString).deletingLastPathComponent
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try? Data(bytes).write(to: URL(fileURLWithPath: path))
}

private func json(_ value: [String: Any]) -> [UInt8] {
    (try? JSONSerialization.data(withJSONObject: value)).map { [UInt8]($0) } ?? []
}

private func littleEndian<T: BitwiseCopyable>(_ values: [T]) -> [UInt8] { values.withUnsafeBytes { [UInt8]($0) } }

private let nothing = NSNull()

/// One artifact of a sample bundle.
struct Sample {
    var format = "coreml"
    /// The verdict of the server's checks.
    var passed: Bool?
    var ios = "17.0"
    /// Chips that it was compiled for.
    var chips: [String] = []
}

/// Writes a bundle whose artifacts are `artifacts`, by name.
func writeBundle(_ name: String, _ artifacts: [String: Sample]? = nil) -> String {
    let folder = newFolder()
    let artifacts = artifacts ?? ["\(name).fp32": Sample()]
    let task: ModelTask = name == "spots" ? .detection : .classification
    let roles = task == .detection ? ["logits", "boxes"] : ["logits"]
    write(json(spec(name, task, roles)), "\(folder)/model.json")
    write(json(["cases": (0..<3).map { golden(folder, $0, task) }]), "\(folder)/golden/cases.json")
    for artifact in artifacts.keys { write(Array("weights of \(artifact)".utf8), "\(folder)/artifacts/\(artifact)") }
    let shapes = networkOutputs(task, [UInt8](repeating: 0, count: 6))
    let outputs = roles.map { info($0, $0, shapes[Role(rawValue: $0) ?? .logits]?.shape ?? [], "") }
    let listed = artifacts.sorted { $0.key < $1.key }.map { artifact, sample -> [String: Any] in
        [
            "name": artifact, "file": "artifacts/\(artifact)", "format": sample.format, "precision": "fp32",
            "runtime": "a runtime", "runtime_version": "1", "os_minimum": ["ios": sample.ios], "soc": sample.chips,
            "input_layout": "float32_nchw", "input": info("image", "image", [1, 3, 1, 2], "nchw"),
            "outputs": outputs, "tools": [String: String](), "bytes": "weights of \(artifact)".utf8.count,
        ]
    }
    let files = (FileManager.default.subpaths(atPath: folder) ?? []).sorted().compactMap { path -> [String: Any]? in
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: "\(folder)/\(path)", isDirectory: &isFolder)
        guard !isFolder.boolValue, let data = FileManager.default.contents(atPath: "\(folder)/\(path)") else {
            return nil
        }
        let entry: [String: Any] = ["path": path, "bytes": data.count, "sha256": sha256([UInt8](data))]
        return entry
    }
    let manifest = json(["model": name, "samesight": "0.1.0", "artifacts": listed, "files": files])
    write(manifest, "\(folder)/manifest.json")
    let judged = artifacts.compactMap { artifact, sample in sample.passed.map { verdict(artifact, $0) } }
    if !judged.isEmpty {
        write(
            json(["manifest_sha256": sha256(manifest), "passed": true, "artifacts": judged]), "\(folder)/parity.json")
    }
    return folder
}

private func info(_ name: String, _ role: String, _ shape: [Int], _ layout: String) -> [String: Any] {
    var fields: [String: Any] = ["name": name, "shape": shape, "dtype": "float32", "layout": layout]
    fields["role"] = role
    return fields
}

private func spec(_ name: String, _ task: ModelTask, _ roles: [String]) -> [String: Any] {
    let isDetection = task == .detection
    let slices = Dictionary(
        uniqueKeysWithValues: roles.map { role -> (String, Any) in
            (role, ["tensor": role, "channel_axis": isDetection ? 2 as Any : nothing])
        })
    let detection: Any = isDetection ? ["boxes": ["coding": "corners", "unit": "fraction"]] : nothing
    return [
        "name": name, "task": task.rawValue,
        "input": [
            "width": 2, "height": 1, "framing": ["rule": "stretch"], "mean": [0, 0, 0], "std": [1, 1, 1],
        ] as [String: Any],
        "outputs": [
            "tensors": roles, "roles": slices, "activation": isDetection ? "sigmoid" : "softmax",
        ] as [String: Any],
        "labels": isDetection ? ["spot"] : ["left", "right"],
        "detection": detection,
    ]
}

private func golden(_ folder: String, _ number: Int, _ task: ModelTask) -> [String: Any] {
    let pixels = (0..<6).map { UInt8(truncatingIfNeeded: $0 * (number + 3) * 17) }
    let id = "golden/00\(number)"
    write(Array("for people".utf8), "\(folder)/\(id).png")
    write(littleEndian([UInt32(2), 1]) + pixels, "\(folder)/\(id).rgb")
    write(pixels, "\(folder)/\(id).input")
    var outputs: [String: Any] = [:]
    for (role, tensor) in networkOutputs(task, pixels) {
        write(littleEndian(tensor.values), "\(folder)/\(id).\(role.rawValue)")
        outputs[role.rawValue] = ["path": "\(id).\(role.rawValue)", "shape": tensor.shape] as [String: Any]
    }
    return [
        "id": "00\(number)", "picture": "\(id).png", "image": "\(id).rgb", "width": 2, "height": 1,
        "quarter_turns": 0, "mirrored": false, "yuv": nothing,
        "input": ["path": "\(id).input", "shape": [1, 2, 3]] as [String: Any], "outputs": outputs,
        "answers": [String](),
    ]
}

private func verdict(_ name: String, _ passed: Bool) -> [String: Any] {
    [
        "name": name, "format": "coreml", "precision": "fp32", "unit": "cpu", "runner": nothing, "passed": passed,
        "reason": "", "cases": 3, "roles": [String](), "agreement": nothing, "mean_iou": nothing,
        "score_difference": nothing, "steps_apart": nothing, "metric": nothing, "bytes": 1, "bytes_ratio": nothing,
    ]
}
