import Contract
import Foundation

/// What is told of a placed model.
public struct Placed: Equatable, Sendable {
    public let chosen: Trial
    public let trials: [Trial]

    public init(chosen: Trial, trials: [Trial]) {
        self.chosen = chosen
        self.trials = trials
    }
}

/// The one model that an app has in memory, for any number of tasks.
///
/// Loading another gives the memory of the one before back first, and cancels a load that is under way. Closing waits for
/// the run that is under way.
public actor ModelHolder {
    private let runner = Runner()
    private var loading: Task<Placed, any Error>?

    public init() {}

    /// Replaces the model.
    ///
    /// - Parameter open: such as ``place(_:_:notes:clock:)``.
    /// - Throws: `CancellationError` another load or ``close()`` came in between; what `open` throws, and then no model is
    ///   loaded.
    public func load(_ open: @escaping @Sendable () throws -> Placement) async throws -> Placed {
        try Task.checkCancellation()
        loading?.cancel()
        let task = Task { [runner] in try await runner.load(open) }
        loading = task
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Raw outputs of an input tensor.
    ///
    /// - Throws: ``SamesightError`` no model is loaded, or what ``Engine/run(_:)`` throws.
    public nonisolated func run(_ tensor: [UInt8]) async throws -> [Role: Tensor] { try await runner.run(tensor) }

    /// Gives the model's memory back, as when the system runs low; another load brings it back.
    public func close() async {
        loading?.cancel()
        await runner.unload()
    }

    /// Does something else where models run, while none is in memory: such as the self-test.
    public func instead<T: Sendable>(_ act: @escaping @Sendable () throws -> T) async throws -> T {
        try Task.checkCancellation()
        loading?.cancel()
        let task = Task { [runner] in try await runner.instead(act) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}

/// Where engines are: on one queue, since a call into a runtime blocks its thread.
private actor Runner {
    private let queue = QueueExecutor("samesight.engines")
    private var placement: Placement?

    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    func load(_ open: @Sendable () throws -> Placement) throws -> Placed {
        try Task.checkCancellation()
        unload()
        let new = try open()
        if Task.isCancelled {
            new.engine.close()
            throw CancellationError()
        }
        placement = new
        return Placed(chosen: new.chosen, trials: new.trials)
    }

    func run(_ tensor: [UInt8]) throws -> [Role: Tensor] {
        guard let placement else { throw SamesightError("no model is loaded; choose one") }
        do {
            return try placement.engine.run(tensor)
        } catch let hung as Unresponsive {
            throw SamesightError(hung.message)
        }
    }

    func unload() {
        placement?.engine.close()
        placement = nil
    }

    func instead<T>(_ act: @Sendable () throws -> T) throws -> T {
        unload()
        try Task.checkCancellation()
        return try act()
    }
}

/// Runs an actor's work on a dispatch queue of its own, so that what blocks there takes no thread from other tasks.
public final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    public init(_ label: String) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}
