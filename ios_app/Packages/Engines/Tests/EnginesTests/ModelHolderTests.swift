import Contract
import Foundation
import Testing

@testable import Engines

/// Lets one thread wait for another; times out after ten seconds.
private final class Latch: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    /// For a thread that may be blocked.
    func wait() { _ = semaphore.wait(timeout: .now() + 10) }

    /// For tasks, whose threads are few.
    func opened() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [self] in
                wait()
                continuation.resume()
            }
        }
    }
}

@Suite(.serialized)
struct ModelHolderTests {
    private let holder = ModelHolder()
    private let tensor = goldenCases3[1].tensor

    @discardableResult
    private func load(_ opener: FakeOpener) async throws -> Placed {
        try await holder.load { try place(request(.cpu), opener) { opener.record.now } }
    }

    private func isEmpty() async -> Bool {
        do {
            _ = try await holder.run(tensor)
            return false
        } catch {
            return "\(error)".contains("no model is loaded")
        }
    }

    @Test func runsWhatWasLoaded() async throws {
        let placed = try await load(FakeOpener([.cpu: Behaviour()]))
        #expect(placed.chosen.unit == .cpu)
        #expect(try await holder.run(tensor)[.logits]?.values == logits(tensor))
    }

    @Test func saysThatNothingIsLoadedBeforeALoadAndAfterClose() async throws {
        #expect(await isEmpty())
        let opener = FakeOpener([.cpu: Behaviour()])
        try await load(opener)
        await holder.close()
        await holder.close()
        #expect(opener.record.inMemory == 0)
        #expect(await isEmpty())
        try await load(opener)
        _ = try await holder.run(tensor)
    }

    @Test func aSecondLoadGivesTheFirstModelsMemoryBackBeforeItBegins() async throws {
        let first = FakeOpener([.cpu: Behaviour()])
        try await load(first)
        let record = first.record
        try await load(FakeOpener([.cpu: Behaviour(opening: { #expect(record.inMemory == 0) })]))
        #expect(first.record.inMemory == 0)
    }

    @Test func aLoadThatFailsLeavesNothingBehind() async throws {
        let first = FakeOpener([.cpu: Behaviour()])
        try await load(first)
        await #expect(throws: SamesightError.self) { try await load(FakeOpener([:])) }
        #expect(first.record.inMemory == 0)
        #expect(await isEmpty())
    }

    @Test func aSecondLoadCancelsTheFirstOneThatIsUnderWay() async throws {
        let (begun, go) = (Latch(), Latch())
        let waiting = Behaviour(opening: {
            begun.open()
            go.wait()
        })
        let (first, second) = (FakeOpener([.cpu: waiting]), FakeOpener([.cpu: Behaviour()]))
        let slow = Task { try await load(first) }
        await begun.opened()
        let other = Task { try await load(second) }
        // It stands in line once it has cancelled the first.
        try await Task.sleep(nanoseconds: 50_000_000)
        go.open()
        await #expect(throws: CancellationError.self) { try await slow.value }
        _ = try await other.value
        #expect(first.record.inMemory == 0 && second.record.inMemory == 1)
        _ = try await holder.run(tensor)
    }

    @Test func aCancelledTaskCancelsItsLoad() async throws {
        let (begun, go) = (Latch(), Latch())
        let opener = FakeOpener([
            .cpu: Behaviour(opening: {
                begun.open()
                go.wait()
            })
        ])
        let task = Task { try await load(opener) }
        await begun.opened()
        task.cancel()
        go.open()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(opener.record.inMemory == 0)
    }

    @Test func closeWaitsForTheRunUnderWay() async throws {
        let (inside, go) = (Latch(), Latch())
        let calls = Record()
        let opener = FakeOpener([
            .cpu: Behaviour(answer: { tensor in
                if calls.now > 0 {
                    inside.open()
                    go.wait()
                }
                return logits(tensor)
            })
        ])
        try await load(opener)
        calls.pass(1)
        let runner = Task { try await holder.run(tensor) }
        await inside.opened()
        let closer = Task { await holder.close() }
        try await Task.sleep(nanoseconds: 50_000_000)
        #expect(opener.record.inMemory == 1)
        go.open()
        _ = try await runner.value
        await closer.value
        #expect(opener.record.inMemory == 0)
    }

    @Test func insteadRunsWhileNoModelIsInMemory() async throws {
        let opener = FakeOpener([.cpu: Behaviour()])
        try await load(opener)
        let record = opener.record
        #expect(try await holder.instead { record.inMemory } == 0)
        #expect(await isEmpty())
    }
}
