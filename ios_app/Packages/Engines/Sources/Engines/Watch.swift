import Contract
import Foundation

/// A call into a runtime that never came back.
public struct Unresponsive: Error, Equatable, Sendable {
    public let message: String

    init(_ who: String, _ seconds: Double) {
        message = "\(who) did not answer for \(Int(seconds)) seconds; choose another unit"
    }

    init(again who: String) { message = "\(who) does not answer any more; choose another unit" }
}

/// An opener whose calls, and its engines', are made by one thread, and waited for no longer than `longest` seconds.
///
/// A driver's call cannot be interrupted: a thread that does not answer is left behind, with what it holds. One thread for
/// all, because some runtimes belong to the thread that began with them.
public final class WatchedOpener: Opener {
    private let opener: any Opener
    private let watch: Watch

    /// A minute is long enough for a Neural Engine's compiler on a slow phone, and for a run of the largest network on
    /// its CPU.
    public init(_ opener: any Opener, longest: Double = 60) {
        self.opener = opener
        watch = Watch(longest)
    }

    public func modes(_ unit: ComputeUnit) -> Set<Mode> { opener.modes(unit) }

    /// - Throws: ``SamesightError`` as the opener's, or it took too long.
    public func prepare(_ file: ArtifactFile) async throws -> ArtifactFile {
        let opener = opener
        let made = try await watch.first { try await opener.prepare(file) }
        guard let made else {
            throw SamesightError(
                "artifact \(file.artifact.name): was not ready after \(Int(watch.longest)) seconds; choose another")
        }
        return made
    }

    /// - Throws: ``Unresponsive`` it took too long; or as the opener's.
    public func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
        let opener = opener
        let engine = try watch.call("the \(unit.name)") { try opener.open(file, unit, mode) }
        return WatchedEngine(engine, "the \(unit.name)", watch)
    }

    public func plan(_ file: ArtifactFile, _ unit: ComputeUnit) async -> String? {
        let opener = opener
        return try? await watch.first { await opener.plan(file, unit) } ?? nil
    }
}

private final class WatchedEngine: Engine {
    let certain: Bool
    let operations: Int?
    let delegates: [String]
    private let engine: Unchecked<any Engine>
    private let who: String
    private let watch: Watch
    private var hung = false

    init(_ engine: any Engine, _ who: String, _ watch: Watch) {
        certain = engine.certain
        operations = engine.operations
        delegates = engine.delegates
        self.engine = Unchecked(engine)
        self.who = who
        self.watch = watch
    }

    func run(_ tensor: [UInt8]) throws -> [Role: Tensor] {
        let engine = engine
        return try watched { try engine.value.run(tensor) }
    }

    func close() {
        let engine = engine
        // It would wait for the call that does not come back.
        if !hung { try? watched { engine.value.close() } }
    }

    private func watched<T>(_ act: @escaping @Sendable () throws -> T) throws -> T {
        if hung { throw Unresponsive(again: who) }
        do {
            return try watch.call(who, act)
        } catch let problem as Unresponsive {
            hung = true
            throw problem
        }
    }
}

/// Waits for a worker, and takes another one when it does not answer.
private final class Watch: Sendable {
    let longest: Double
    private let worker = Locked(Worker())

    init(_ longest: Double) { self.longest = longest }

    deinit { worker.with { $0.end() } }

    /// - Throws: ``Unresponsive`` it took too long; what it gives at last is closed then.
    func call<T>(_ who: String, _ act: @escaping @Sendable () throws -> T) throws -> T {
        let answered = DispatchSemaphore(value: 0)
        let state = Locked((result: Unchecked<Result<T, any Error>>?.none, abandoned: false))
        worker.with { $0 }.add {
            let result = Result { try act() }
            let abandoned = state.with {
                $0.result = Unchecked(result)
                return $0.abandoned
            }
            // Nobody waits for it any more.
            if abandoned, case .success(let value) = result { (value as? any Engine)?.close() }
            answered.signal()
        }
        _ = answered.wait(timeout: .now() + longest)
        let result = state.with {
            $0.abandoned = $0.result == nil
            return $0.result
        }
        guard let result else {
            worker.with {
                $0.end()
                $0 = Worker()
            }
            throw Unresponsive(who, longest)
        }
        return try result.value.get()
    }

    /// What `act` gives; nil where it took too long, and then nothing waits for it.
    func first<T: Sendable>(_ act: @escaping @Sendable () async throws -> T) async throws -> T? {
        let longest = longest
        let (answers, answer) = AsyncThrowingStream<T?, any Error>.makeStream()
        let work = Task {
            do {
                answer.yield(try await act())
            } catch {
                answer.finish(throwing: error)
            }
        }
        let clock = Task {
            try await Task.sleep(nanoseconds: UInt64(longest * nanoseconds * 1000))
            answer.yield(nil)
        }
        defer {
            work.cancel()
            clock.cancel()
        }
        for try await first in answers { return first }
        throw CancellationError()
    }
}

/// A thread that does one thing after the other until it is ended.
private final class Worker: Sendable {
    private let work = Locked((waiting: [@Sendable () -> Void](), ended: false))
    private let something = DispatchSemaphore(value: 0)

    init() {
        let (work, something) = (work, something)
        let thread = Thread {
            while true {
                something.wait()
                let next = work.with { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
                guard let next else { return }
                next()
            }
        }
        thread.name = "samesight.runtime"
        thread.qualityOfService = .userInitiated
        thread.start()
    }

    func add(_ act: @escaping @Sendable () -> Void) {
        work.with { $0.waiting.append(act) }
        something.signal()
    }

    /// After all that was added before.
    func end() { something.signal() }
}

/// A value that one thread at a time has.
private final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func with<T>(_ act: (inout Value) -> T) -> T { lock.withLock { act(&value) } }
}

/// What goes to a worker and back while who gave it waits: an engine, which is for one thread at a time.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
