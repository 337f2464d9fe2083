import Foundation
import Testing

@testable import Contract
@testable import Engines

private let short = 0.2

/// Lets those go on that wait in it.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func wait() {
        _ = semaphore.wait(timeout: .now() + 60)
        semaphore.signal()
    }

    func open() { semaphore.signal() }
}

private final class Threads: @unchecked Sendable {
    private let lock = NSLock()
    private var seen: Set<ObjectIdentifier> = []

    func note() { lock.withLock { _ = seen.insert(ObjectIdentifier(Thread.current)) } }

    var count: Int { lock.withLock { seen.count } }
}

/// The sentence of a call that is given up; nil for everything else.
private func hung(_ act: () throws -> Void) -> String? {
    do {
        try act()
        return nil
    } catch {
        return (error as? Unresponsive)?.message
    }
}

/// The sentence of what `act` throws; empty where it throws nothing.
private func sentence(_ act: () async throws -> Void) async -> String {
    do {
        try await act()
        return ""
    } catch {
        return (error as? SamesightError)?.message ?? "not a sentence: \(error)"
    }
}

struct WatchTests {
    @Test func whatAnswersIsAsWithoutAWatchAndAllOnOneThread() throws {
        let threads = Threads()
        let answer: @Sendable ([UInt8]) -> [Float] = { tensor in
            threads.note()
            return logits(tensor)
        }
        let behaviour = Behaviour(operations: 7, opening: { threads.note() }, answer: answer)
        let inner = FakeOpener([.cpu: behaviour])
        let opener = WatchedOpener(inner)
        #expect(opener.modes(.cpu) == [.alone])
        for _ in 0..<2 {
            let engine = try opener.open(sums, .cpu, .alone)
            #expect(engine.certain && engine.operations == 7)
            #expect(try engine.run(goldenCases3[0].tensor)[.logits]?.values == logits(goldenCases3[0].tensor))
            engine.close()
        }
        #expect(threads.count == 1 && inner.record.inMemory == 0)
        #expect(sentence { _ = try opener.open(sums, .gpu, .alone) } == "status 504 for GPU")
    }

    @Test func aLoadThatHangsIsGivenUpOthersGoOnAndWhatItLoadsAtLastIsClosed() throws {
        let gate = Gate()
        let inner = FakeOpener([.gpu: Behaviour(opening: { gate.wait() }), .cpu: Behaviour()])
        let opener = WatchedOpener(inner, longest: short)
        let told = hung { _ = try opener.open(sums, .gpu, .alone) }
        #expect(told == "the GPU did not answer for 0 seconds; choose another unit")
        let engine = try opener.open(sums, .cpu, .alone)
        #expect(try engine.run(goldenCases3[0].tensor)[.logits]?.values == logits(goldenCases3[0].tensor))
        engine.close()
        gate.open()
        let end = Date(timeIntervalSinceNow: 20)
        while inner.record.mostInMemory < 1 || inner.record.inMemory > 0, Date() < end { usleep(5000) }
        #expect(inner.record.inMemory == 0)
    }

    @Test func aRunThatHangsIsGivenUpAndNeitherRunsNorCloseWaitForItAgain() throws {
        let gate = Gate()
        let behaviour = Behaviour(answer: { tensor in
            gate.wait()
            return logits(tensor)
        })
        let engine = try WatchedOpener(FakeOpener([.gpu: behaviour]), longest: short).open(sums, .gpu, .alone)
        #expect(hung { _ = try engine.run(goldenCases3[0].tensor) } != nil)
        let start = uptime()
        #expect(
            hung { _ = try engine.run(goldenCases3[0].tensor) }
                == "the GPU does not answer any more; choose another unit")
        engine.close()
        #expect(uptime() - start < 10_000 * milliseconds)
        gate.open()
    }

    @Test func aUnitThatNeverAnswersIsSkippedInThisProcessAndAtTheNextStart() throws {
        let gate = Gate()
        let folder = try temporaryFolder()
        func notes() -> TrialNotes { TrialNotes("\(folder)/units", system: "app 1") }
        let waiting = Behaviour(opening: { gate.wait() })
        let hanging = WatchedOpener(FakeOpener([.gpu: waiting, .cpu: Behaviour()]), longest: short)
        let known = notes()
        let first = try place(request(.gpu, .cpu), hanging, notes: known)
        #expect(first.chosen.unit == .cpu)
        #expect(first.trials.first { $0.unit == .gpu }?.refusal?.hasPrefix("the GPU did not answer") == true)
        let opener = FakeOpener([.gpu: Behaviour(), .cpu: Behaviour()])
        for notes in [known, notes()] {
            let trial = UnitTrials(request: request(.gpu, .cpu), opener: opener, notes: notes, clock: uptime)
            let refusal = try trial.attempt(.gpu, .alone, nil).trial.refusal ?? ""
            #expect(refusal.hasPrefix("the GPU did not answer for 0 seconds; it is skipped until"))
        }
        #expect(!opener.record.opened.contains(.gpu))
        gate.open()
    }

    @Test func theScreenGetsASentence() async throws {
        let gate = Gate()
        let ran = Threads()
        let behaviour = Behaviour(answer: { tensor in
            // What is measured answers, and what comes after it does not.
            if ran.count > 0 { gate.wait() }
            return logits(tensor)
        })
        let opener = WatchedOpener(FakeOpener([.cpu: behaviour]), longest: short)
        let holder = ModelHolder()
        _ = try await holder.load { try place(request(.cpu), opener) }
        ran.note()
        let told = await sentence { _ = try await holder.run(goldenCases3[0].tensor) }
        #expect(told == "the CPU did not answer for 0 seconds; choose another unit")
        gate.open()
    }

    @Test func aFileThatIsNeverReadyAndAPlanThatNeverComesAreGivenUp() async throws {
        let opener = WatchedOpener(SlowOpener(seconds: 60), longest: short)
        let told = await sentence { _ = try await opener.prepare(sums) }
        #expect(told == "artifact sums.fp32: was not ready after 0 seconds; choose another")
        #expect(await opener.plan(sums, .npu) == nil)
        let ready = WatchedOpener(SlowOpener(seconds: 0))
        #expect(try await ready.prepare(sums).path == "sums")
        #expect(await ready.plan(sums, .npu) == "as planned")
    }
}

private struct SlowOpener: Opener {
    let seconds: UInt64

    func prepare(_ file: ArtifactFile) async throws -> ArtifactFile {
        try await Task.sleep(nanoseconds: seconds * 1_000_000_000)
        return file
    }

    func plan(_ file: ArtifactFile, _ unit: ComputeUnit) async -> String? {
        try? await Task.sleep(nanoseconds: seconds * 1_000_000_000)
        return "as planned"
    }

    func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
        throw SamesightError("never asked")
    }
}
