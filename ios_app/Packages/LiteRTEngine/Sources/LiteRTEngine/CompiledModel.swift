import Contract
import Foundation
import LiteRtC

let float32Element: Int32 = 1
let int8Element: Int32 = 9

/// A status of LiteRT that is not 0.
struct LiteRtFailure: Error {
    let status: LiteRtStatusCode
    let what: String
}

func check(_ status: LiteRtStatusCode, _ what: String) throws {
    if status != 0 { throw LiteRtFailure(status: status, what: what) }
}

/// What `call` writes into the pointer that it gets.
func made<Handle>(_ what: String, _ call: (UnsafeMutablePointer<Handle?>) -> LiteRtStatusCode) throws -> Handle {
    var handle: Handle?
    try check(call(&handle), what)
    guard let handle else { throw LiteRtFailure(status: -1, what: "\(what) is null") }
    return handle
}

private func count(_ what: String, _ call: (UnsafeMutablePointer<Int>) -> LiteRtStatusCode) throws -> Int {
    var number = 0
    try check(call(&number), what)
    return number
}

/// One input or output of a signature.
struct Port {
    let name: String
    let type: LiteRtTensorType

    var shape: [Int] {
        let rank = Int(type.rank_and_flags & 0x7f)
        let sides = type.dimensions
        let all = [sides.0, sides.1, sides.2, sides.3, sides.4, sides.5, sides.6, sides.7]
        return all.prefix(rank).map(Int.init)
    }
}

/// LiteRT's compiled model of one file and one accelerator, with its buffers. All is destroyed with the object.
final class CompiledModel {
    let inputs: [Port]
    let outputs: [Port]
    private let signature: Int
    private let environment: LiteRtEnvironmentHandle
    private let model: LiteRtModelHandle
    private let compiled: LiteRtCompiledModelHandle
    private var inputBuffers: [LiteRtTensorBufferHandle?] = []
    private var outputBuffers: [LiteRtTensorBufferHandle?] = []

    /// - Parameters:
    ///   - accelerators: bits; one alone runs all or is refused.
    ///   - threads: of the CPU; nil where it does not run.
    ///   - key: of the signature.
    /// - Throws: ``LiteRtFailure``.
    init(_ file: String, accelerators: Int32, threads: Int?, key: String) throws {
        var undo: [() -> Void] = []
        var isWhole = false
        defer { if !isWhole { for act in undo.reversed() { act() } } }
        let environment: LiteRtEnvironmentHandle = try made("the environment") { LiteRtCreateEnvironment(0, nil, $0) }
        undo.append { LiteRtDestroyEnvironment(environment) }
        let model: LiteRtModelHandle = try made("the model") { LiteRtCreateModelFromFile(environment, file, $0) }
        undo.append { LiteRtDestroyModel(model) }
        let options: LiteRtOptionsHandle = try made("the options") { LiteRtCreateOptions($0) }
        defer { LiteRtDestroyOptions(options) }
        try check(LiteRtSetOptionsHardwareAccelerators(options, accelerators), "the options")
        if let threads { try setThreads(threads, options) }
        let compiled: LiteRtCompiledModelHandle = try made("compilation") {
            LiteRtCreateCompiledModel(environment, model, options, $0)
        }
        undo.append { LiteRtDestroyCompiledModel(compiled) }
        (signature, inputs, outputs) = try ports(model, key)
        self.environment = environment
        self.model = model
        self.compiled = compiled
        isWhole = true
        // From here on deinit destroys what there is.
        for (index, port) in inputs.enumerated() {
            inputBuffers.append(
                try buffer(port) { LiteRtGetCompiledModelInputBufferRequirements(compiled, signature, index, $0) })
        }
        for (index, port) in outputs.enumerated() {
            outputBuffers.append(
                try buffer(port) { LiteRtGetCompiledModelOutputBufferRequirements(compiled, signature, index, $0) })
        }
    }

    deinit {
        for buffer in inputBuffers + outputBuffers { LiteRtDestroyTensorBuffer(buffer) }
        LiteRtDestroyCompiledModel(compiled)
        LiteRtDestroyModel(model)
        LiteRtDestroyEnvironment(environment)
    }

    private func buffer(
        _ port: Port, _ needs: (UnsafeMutablePointer<LiteRtRequirementsHandle?>) -> LiteRtStatusCode
    ) throws -> LiteRtTensorBufferHandle {
        let requirements = try made("the buffer of \(port.name)", needs)
        var type = port.type
        return try made("the buffer of \(port.name)") {
            LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, requirements, $0)
        }
    }

    func run() throws {
        try check(
            LiteRtRunCompiledModel(
                compiled, signature, inputBuffers.count, &inputBuffers, outputBuffers.count, &outputBuffers),
            "the run")
    }

    /// Copies bytes into an input, which has exactly as many.
    func write(_ index: Int, _ bytes: UnsafeRawBufferPointer) throws {
        try locked(inputBuffers[index], mode: 1) { memory in
            if memory.count != bytes.count {
                throw LiteRtFailure(status: 1, what: "an input of \(memory.count) bytes, not \(bytes.count)")
            }
            memory.copyMemory(from: bytes)
        }
    }

    /// Gives an output's bytes to `take`, for the time of the call.
    func read<T>(_ index: Int, _ take: (UnsafeRawBufferPointer) throws -> T) throws -> T {
        try locked(outputBuffers[index], mode: 0) { try take(UnsafeRawBufferPointer($0)) }
    }

    private func locked<T>(
        _ buffer: LiteRtTensorBufferHandle?, mode: Int32, _ act: (UnsafeMutableRawBufferPointer) throws -> T
    ) throws -> T {
        guard let buffer else { throw LiteRtFailure(status: -1, what: "no buffer") }
        let size = try count("its size") { LiteRtGetTensorBufferPackedSize(buffer, $0) }
        let memory: UnsafeMutableRawPointer = try made("its memory") { LiteRtLockTensorBuffer(buffer, $0, mode) }
        defer { _ = LiteRtUnlockTensorBuffer(buffer) }
        return try act(UnsafeMutableRawBufferPointer(start: memory, count: size))
    }
}

/// The library takes what belongs to one accelerator as TOML, and frees it.
private func setThreads(_ threads: Int, _ options: LiteRtOptionsHandle) throws {
    let text = strdup("num_threads = \(threads)\n")
    let opaque: LiteRtOpaqueOptionsHandle = try made("the options") {
        LiteRtCreateOpaqueOptions("xnnpack", text, { free($0) }, $0)
    }
    try check(LiteRtAddOpaqueOptions(options, opaque), "the options")
}

/// The signature of that key, and its inputs and outputs.
private func ports(_ model: LiteRtModelHandle, _ key: String) throws -> (Int, [Port], [Port]) {
    for index in 0..<(try count("the signatures") { LiteRtGetNumModelSignatures(model, $0) }) {
        let signature: LiteRtSignatureHandle = try made("a signature") { LiteRtGetModelSignature(model, index, $0) }
        let found: UnsafePointer<CChar> = try made("its key") { LiteRtGetSignatureKey(signature, $0) }
        if String(cString: found) != key { continue }
        let inputs = try (0..<(try count("its inputs") { LiteRtGetNumSignatureInputs(signature, $0) })).map { place in
            try port(
                { LiteRtGetSignatureInputName(signature, place, $0) },
                { LiteRtGetSignatureInputTensorByIndex(signature, place, $0) })
        }
        let outputs = try (0..<(try count("its outputs") { LiteRtGetNumSignatureOutputs(signature, $0) })).map {
            place in
            try port(
                { LiteRtGetSignatureOutputName(signature, place, $0) },
                { LiteRtGetSignatureOutputTensorByIndex(signature, place, $0) })
        }
        return (index, inputs, outputs)
    }
    throw LiteRtFailure(status: 6, what: "no signature \(key)")
}

private func port(
    _ name: (UnsafeMutablePointer<UnsafePointer<CChar>?>) -> LiteRtStatusCode,
    _ tensor: (UnsafeMutablePointer<LiteRtTensorHandle?>) -> LiteRtStatusCode
) throws -> Port {
    let text = try made("a name", name)
    let handle = try made("a tensor", tensor)
    var type = LiteRtTensorType()
    try check(LiteRtGetRankedTensorType(handle, &type), "a tensor's type")
    return Port(name: String(cString: text), type: type)
}
