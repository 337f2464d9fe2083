import Contract
import Engines
import LiteRtC

private let format = "litert"
private let signatureKey = "serving_default"
private let cpuBit: Int32 = 1
private let gpuBit: Int32 = 2

/// LiteRT's compiled models over its C API: the CPU by XNNPACK, the GPU by Metal where its accelerator is in the app.
public struct LiteRTOpener: Opener {
    private let threads: Int

    /// - Parameter threads: of the CPU: LiteRT's own default is one, and others are compared with the CPU as it is used.
    public init(threads: Int) {
        self.threads = threads
    }

    public func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
        try checkFormat(file, format)
        let graph = try readGraph(file.path)
        if graph.isDispatch || unit == .npu {
            throw SamesightError(
                "artifact \(file.artifact.name): LiteRT has no way to the Neural Engine; take a Core ML artifact")
        }
        return try translatingErrors(file.path) {
            // One unit alone: with the CPU beside it the GPU's part could silently be nothing.
            let model = try CompiledModel(
                file.path, accelerators: unit == .gpu ? gpuBit : cpuBit, threads: unit == .cpu ? threads : nil,
                key: signatureKey)
            return try LiteRTEngine(file, model, graph.operations)
        }
    }
}

private func translatingErrors<T>(_ file: String, _ act: () throws -> T) throws -> T {
    do {
        return try act()
    } catch let refusal as LiteRtFailure {
        throw SamesightError("\(file): LiteRT refuses: \(refusal.what), status \(refusal.status)")
    }
}

private final class LiteRTEngine: Engine {
    let certain = true
    let operations: Int?
    let delegates: [String] = []
    private let file: ArtifactFile
    private let artifact: Artifact
    private let roles: [Role]
    private let isInteger: Bool
    private let input: Int
    private let outputs: [Int]
    private var model: CompiledModel?
    private var bytes: [UInt8]
    private var floats: [Float]
    private var quantized: [[UInt8]]

    init(_ file: ArtifactFile, _ model: CompiledModel, _ operations: Int) throws {
        self.file = file
        self.model = model
        self.operations = operations
        artifact = file.artifact
        roles = try outputRoles(artifact)
        isInteger = artifact.inputLayout == .int8Nhwc
        if !isInteger && artifact.inputLayout != .float32Nhwc {
            throw SamesightError("artifact \(artifact.name): LiteRT takes int8 or float32 NHWC here")
        }
        if model.inputs.count != 1 {
            throw SamesightError("\(file.path): has \(model.inputs.count) inputs, not one image; make the bundle anew")
        }
        input = try place("input", artifact.input, model.inputs, isInteger, file.path)
        outputs = try artifact.outputs.map { try place("output", $0, model.outputs, isQuantized($0), file.path) }
        bytes = [UInt8](repeating: 0, count: isInteger ? inputSize(artifact) : 0)
        floats = [Float](repeating: 0, count: isInteger ? 0 : inputSize(artifact))
        quantized = artifact.outputs.map {
            [UInt8](repeating: 0, count: isQuantized($0) ? $0.shape.reduce(1, *) : 0)
        }
    }

    func run(_ tensor: [UInt8]) throws -> [Role: Tensor] {
        try checkOpen(artifact, model != nil)
        guard let model else { return [:] }
        try checkInput(artifact, tensor)
        return try translatingErrors(file.path) {
            try write(tensor, model)
            try model.run()
            var result: [Role: Tensor] = [:]
            for (index, role) in roles.enumerated() { result[role] = try read(index, model) }
            return result
        }
    }

    private func write(_ tensor: [UInt8], _ model: CompiledModel) throws {
        // NHWC: the last side is the channels.
        let channels = artifact.input.shape.last ?? 1
        if isInteger {
            pack(tensor, channels, artifact.inputLayout, into: &bytes)
            try bytes.withUnsafeBytes { try model.write(input, $0) }
        } else {
            pack(tensor, channels, artifact.inputLayout, into: &floats)
            try floats.withUnsafeBytes { try model.write(input, $0) }
        }
    }

    private func read(_ index: Int, _ model: CompiledModel) throws -> Tensor {
        let info = artifact.outputs[index]
        return try model.read(outputs[index]) { memory in
            if let scale = info.scale, let zeroPoint = info.zeroPoint, isQuantized(info) {
                let shape = try checkOutput(artifact, index, memory.count)
                var real = [Float](repeating: 0, count: memory.count)
                quantized[index].withUnsafeMutableBytes { $0.copyMemory(from: memory) }
                dequantize(quantized[index], signed: true, scale: scale, zeroPoint: zeroPoint, into: &real)
                return Tensor(shape, real)
            }
            let shape = try checkOutput(artifact, index, memory.count / 4)
            return Tensor(shape, Array(memory.bindMemory(to: Float.self)))
        }
    }

    func close() { model = nil }
}

private func isQuantized(_ info: TensorInfo) -> Bool {
    info.dtype == .int8 && info.scale != nil && info.zeroPoint != nil
}

/// Where a tensor of the manifest is among the file's; asked once: LiteRT's buffers do not look at the type, and would be
/// read beyond their end.
private func place(
    _ what: String, _ info: TensorInfo, _ ports: [Port], _ isInt8: Bool, _ file: String
) throws -> Int {
    let name = info.signature ?? info.name
    guard let index = ports.firstIndex(where: { $0.name == name }) else {
        let names = ports.map(\.name).joined(separator: ", ")
        throw SamesightError("\(file): has no \(what) \(name) (it has \(names)); make the bundle anew")
    }
    let port = ports[index]
    let expected = isInt8 ? int8Element : float32Element
    if port.type.element_type != expected || port.shape != info.shape {
        throw SamesightError(
            "\(file): \(what) \(info.name) is \(element(port.type.element_type)) \(port.shape) in the file, and "
                + "\(element(expected)) \(info.shape) in the manifest; the file is not the one that the manifest "
                + "describes, make the bundle anew")
    }
    return index
}

private func element(_ type: Int32) -> String {
    switch type {
    case float32Element: "float32"
    case int8Element: "int8"
    default: "element type \(type)"
    }
}
