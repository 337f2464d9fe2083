import Contract
import Engines
import Foundation

@testable import Screens

/// A value for any thread.
final class Shared<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var held: Value

    init(_ value: Value) { held = value }

    var value: Value {
        get { lock.withLock { held } }
        set { lock.withLock { held = newValue } }
    }

    func change(_ act: (inout Value) -> Void) { lock.withLock { act(&held) } }
}

/// A runtime that has some units and computes the two networks; a test may have it fail or wait.
struct FakeOpener: Opener {
    struct Opened: Equatable, Sendable {
        let artifact: String
        let unit: ComputeUnit
    }

    let units: Set<ComputeUnit>
    let opened = Shared<[Opened]>([])
    let inMemory = Shared(0)
    let mostInMemory = Shared(0)
    let opening = Shared<@Sendable () throws -> Void>({})
    let running = Shared<@Sendable () throws -> Void>({})

    func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
        if !units.contains(unit) { throw SamesightError("no \(unit.name) here") }
        opened.change { $0.append(Opened(artifact: file.artifact.name, unit: unit)) }
        try opening.value()
        inMemory.change { $0 += 1 }
        mostInMemory.value = max(mostInMemory.value, inMemory.value)
        return FakeEngine(self, file.artifact.outputs.count > 1 ? .detection : .classification)
    }

    func plan(_ file: ArtifactFile, _ unit: ComputeUnit) async -> String? { "planned for the \(unit.name)" }
}

final class FakeEngine: Engine {
    let certain = true
    let operations: Int? = nil
    let delegates: [String] = []
    private let opener: FakeOpener
    private let task: ModelTask
    private var closed = false

    init(_ opener: FakeOpener, _ task: ModelTask) {
        self.opener = opener
        self.task = task
    }

    func run(_ tensor: [UInt8]) throws -> [Role: Tensor] {
        precondition(!closed, "run after close")
        try opener.running.value()
        return networkOutputs(task, tensor)
    }

    func close() {
        if !closed { opener.inMemory.change { $0 -= 1 } }
        closed = true
    }
}

struct FakeRuntimes: Runtimes {
    let openers: [String: any Opener]
    let notes: TrialNotes? = nil
    let system = "17.5"
    let device = Device(app: "iOS app test", device: "a device", system: "iOS 17.5", runtimes: ["Core ML": "7"])
}

/// Bundles in a list. `hidden` comes back when one is removed.
struct FakeShelf: Shelf {
    let bundles = Shared<[Shelved]>([])
    let problems = Shared<[String]>([])
    let hidden = Shared<Shelved?>(nil)
    let next = Shared<Shelved?>(nil)
    let failure = Shared<SamesightError?>(nil)

    func all() throws -> (bundles: [Shelved], problems: [String]) {
        if let failure = failure.value { throw failure }
        return (bundles.value, problems.value)
    }

    func take(_ packed: Picked) throws -> Shelved {
        guard let next = next.value else { throw SamesightError("\(packed.name): damaged") }
        return next
    }

    func remove(_ name: String) throws {
        if let failure = failure.value { throw failure }
        bundles.change { $0.removeAll { $0.opened && $0.bundle.spec.name == name } }
        if let hidden = hidden.value { bundles.change { $0.append(hidden) } }
    }
}

final class FakeMemory: Memory {
    var choices = Choices()
}

struct FakePhotos: Photos {
    let read = Shared<@Sendable ([Int]) throws -> Picture>({ _ in try Picture([0, 40, 80, 120, 160, 200], 2, 1) })

    func read(_ photo: Picked, _ background: [Int]) throws -> Picture { try read.value(background) }
}

/// A frame whose pixels have levels 20, 40, 60 … of one colour after the other.
struct FakePixels: FramePixels {
    let width: Int
    let height: Int
    var failure: SamesightError?

    func rgb() -> [UInt8] {
        let count: Int = 3 * width * height
        return (1...count).map { UInt8(truncatingIfNeeded: 20 * $0) }
    }

    func prepare(_ preprocessor: Preprocessor, _ orientation: Orientation) throws -> Geometry {
        if let failure { throw failure }
        return preprocessor.run(try Picture(rgb(), width, height, orientation))
    }
}

func frame(_ width: Int = 2, _ height: Int = 1, _ orientation: Orientation = .upright, mirror: Bool = false)
    -> CameraFrame
{
    CameraFrame(FakePixels(width: width, height: height), orientation, mirror: mirror)
}

/// Everything around a controller: bundles, runtimes on CPU and GPU, photos, memory and a clock of a millisecond a look.
@MainActor
final class FakePhone {
    let opener: FakeOpener
    let memory = FakeMemory()
    let shelf = FakeShelf()
    let photos = FakePhotos()
    let app: Controller

    init(units: Set<ComputeUnit> = [.cpu, .gpu]) {
        opener = FakeOpener(units: units)
        let time = Shared(0)
        app = Controller(
            shelf: shelf, runtimes: FakeRuntimes(openers: ["coreml": opener]), photos: photos, memory: memory
        ) {
            time.change { $0 += 1_000_000 }
            return time.value
        }
    }

    var state: State { app.moment.state }

    func shelved(_ name: String, _ artifacts: [String: Sample]? = nil, opened: Bool = false) throws -> Shelved {
        Shelved(try openBundle(writeBundle(name, artifacts)), opened: opened)
    }

    /// Has read bundles of these names, and its camera runs.
    func start(_ names: String...) async throws {
        for name in names { shelf.bundles.value.append(try shelved(name)) }
        app.start()
        await app.settled()
        app.cameraIs(.on)
    }

    func ask(_ event: Event) async {
        app.onEvent(event)
        await app.settled()
    }

    var ready: Placed? { state.model.placed }

    var failure: String? {
        if case .failed(let sentence) = state.model { return sentence }
        return nil
    }

    var labels: [String] { (state.seen?.answers ?? []).map(\.label) }

    var result: TestResult? {
        if case .done(let result) = state.selfTest { return result }
        return nil
    }
}
