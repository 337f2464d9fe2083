import Foundation

@testable import Contract
@testable import Engines

// A network of 2 x 1 pixels and two classes: its logits are the sums of the first and of the second three bytes.

let sumsSpec = unfailing {
    try ModelSpec(
        name: "sums", task: .classification,
        input: Input(width: 2, height: 1, mean: [0, 0, 0], std: [1, 1, 1]),
        outputs: Outputs(
            tensors: ["logits"], roles: [(.logits, OutputSlice(tensor: "logits"))], activation: .softmax),
        labels: ["left", "right"])
}

func unfailing<T>(_ make: () throws -> T) -> T {
    do { return try make() } catch { fatalError("\(error)") }
}

func artifact(_ name: String = "sums.fp32", format: String = "litert", precision: String = "fp32") -> Artifact {
    unfailing {
        try Artifact(
            name: name, file: "artifacts/sums", format: format, precision: precision, unit: .cpu, platforms: [.ios],
            runtime: "", runtimeVersion: "", osMinimum: [:], soc: [], inputLayout: .float32Nchw,
            input: TensorInfo(
                name: "image", role: nil, shape: [1, 3, 1, 2], dtype: .float32, layout: "nchw", scale: nil,
                zeroPoint: nil, signature: nil),
            outputs: [
                TensorInfo(
                    name: "logits", role: .logits, shape: [1, 2], dtype: .float32, layout: "", scale: nil,
                    zeroPoint: nil, signature: nil)
            ], tools: [:], delegated: nil, plan: nil, bytes: 1)
    }
}

func logits(_ tensor: [UInt8]) -> [Float] {
    [0, 1].map { side in Float((0..<3).reduce(0) { $0 + Int(tensor[3 * side + $1]) }) }
}

func outputs(_ values: [Float]) -> [Role: Tensor] { [.logits: Tensor([1, values.count], values)] }

let goldenCases3: [GoldenCase] = (0..<3).map { number in
    let tensor = (0..<6).map { UInt8(truncatingIfNeeded: $0 * (number + 3) * 7) }
    return GoldenCase(
        id: "00\(number)", picture: unfailing { try Picture(tensor, 2, 1) }, yuv: nil, tensor: tensor,
        shape: [1, 2, 3], outputs: outputs(logits(tensor)), answers: [])
}

let sums = ArtifactFile(artifact: artifact(), path: "sums", sha256: String(repeating: "0", count: 64))

func request(_ units: ComputeUnit..., file: ArtifactFile = sums) -> Request {
    let all: [ComputeUnit] = units.isEmpty ? [.npu, .gpu, .cpu] : units
    return Request(file: file, spec: sumsSpec, cases: goldenCases3, units: all)
}

let milliseconds = 1_000_000

/// How one unit behaves; nanoseconds.
struct Behaviour: Sendable {
    var steady = 1_000_000
    var first: Int?
    var load = 20_000_000
    var certain = true
    var operations: Int?
    var opening: @Sendable () throws -> Void = {}
    var answer: @Sendable ([UInt8]) throws -> [Float] = logits
}

struct Asked: Hashable, Sendable {
    let unit: ComputeUnit
    let mode: Mode

    init(_ unit: ComputeUnit, _ mode: Mode = .alone) {
        self.unit = unit
        self.mode = mode
    }
}

/// What happened, for any thread.
final class Record: @unchecked Sendable {
    private let lock = NSLock()
    private var values = (now: 0, asked: [Asked](), opened: [Asked](), inMemory: 0, most: 0)

    private func with<T>(_ act: (inout (now: Int, asked: [Asked], opened: [Asked], inMemory: Int, most: Int)) -> T) -> T
    {
        lock.withLock { act(&values) }
    }

    var now: Int { with { $0.now } }
    var asked: [Asked] { with { $0.asked } }
    var opened: [ComputeUnit] { with { $0.opened.map(\.unit) } }
    var inMemory: Int { with { $0.inMemory } }
    var mostInMemory: Int { with { $0.most } }

    func pass(_ time: Int) { with { $0.now += time } }

    func ask(_ one: Asked) { with { $0.asked.append(one) } }

    func open(_ one: Asked) { with { $0.opened.append(one) } }

    func hold() {
        with {
            $0.inMemory += 1
            $0.most = max($0.most, $0.inMemory)
        }
    }

    func drop() { with { $0.inMemory -= 1 } }
}

/// A runtime whose units behave as told; a unit without behaviour is refused.
struct FakeOpener: Opener {
    let units: [Asked: Behaviour]
    let record = Record()

    init(_ units: [ComputeUnit: Behaviour], _ others: [Asked: Behaviour] = [:]) {
        var all = others
        for (unit, behaviour) in units { all[Asked(unit)] = behaviour }
        self.units = all
    }

    func modes(_ unit: ComputeUnit) -> Set<Mode> {
        Set([Mode.alone] + units.keys.filter { $0.unit == unit }.map(\.mode))
    }

    func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
        let asked = Asked(unit, mode)
        record.ask(asked)
        guard let behaviour = units[asked] else { throw SamesightError("status 504 for \(unit.name)") }
        record.open(asked)
        try behaviour.opening()
        record.pass(behaviour.load)
        record.hold()
        return FakeEngine(behaviour, record)
    }
}

final class FakeEngine: Engine {
    let certain: Bool
    let operations: Int?
    let delegates: [String] = []
    private let behaviour: Behaviour
    private let record: Record
    private var ran = false
    private var closed = false

    init(_ behaviour: Behaviour, _ record: Record) {
        self.behaviour = behaviour
        self.record = record
        certain = behaviour.certain
        operations = behaviour.operations
    }

    func run(_ tensor: [UInt8]) throws -> [Role: Tensor] {
        precondition(!closed, "run after close")
        record.pass(ran ? behaviour.steady : behaviour.first ?? 5 * behaviour.steady)
        ran = true
        return outputs(try behaviour.answer(tensor))
    }

    func close() {
        if !closed { record.drop() }
        closed = true
    }
}

/// A folder of one test.
func temporaryFolder() throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("samesight-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
}

/// The sentence of what `act` throws; empty where it throws nothing.
func sentence(_ act: () throws -> Void) -> String {
    do {
        try act()
        return ""
    } catch {
        return (error as? SamesightError)?.message ?? "not a sentence: \(error)"
    }
}
