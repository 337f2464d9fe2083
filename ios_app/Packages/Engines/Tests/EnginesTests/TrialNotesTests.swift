import Contract
import Foundation
import Testing

@testable import Engines

/// What no code of ours mends: as far as the files can tell, the process is gone.
private struct ProcessEnds: Error {}

struct TrialNotesTests {
    private let folder = unfailing(temporaryFolder)
    private var units: String { "\(folder)/units" }

    /// The notes as a new process finds them.
    private func notes(_ system: String = "app 1, iOS 18.0", isInnocent: () -> Bool = { false }) -> TrialNotes {
        TrialNotes(units, system: system, isInnocent: isInnocent)
    }

    private func select(_ notes: TrialNotes, _ opener: FakeOpener, _ asked: Request = request()) throws -> Placement {
        try place(asked, opener, notes: notes) { opener.record.now }
    }

    /// A start of the app that ends while a unit is tried. The files are put back as they were at that moment: an error
    /// runs `defer`, and a crash does not.
    private func crash(_ unit: ComputeUnit, _ others: [ComputeUnit: Behaviour] = [:]) throws {
        let (units, kept) = (units, "\(folder)/kept")
        var all = others
        all[unit] = Behaviour(opening: {
            try? FileManager.default.copyItem(atPath: units, toPath: kept)
            throw ProcessEnds()
        })
        _ = try? select(notes(), FakeOpener(all), request(unit, .cpu))
        try FileManager.default.removeItem(atPath: units)
        try FileManager.default.moveItem(atPath: kept, toPath: units)
    }

    private func refusal(_ placement: Placement, _ unit: ComputeUnit) -> String {
        placement.trials.first { $0.unit == unit }?.refusal ?? ""
    }

    private let faster = [ComputeUnit.gpu: Behaviour(steady: milliseconds / 2), .cpu: Behaviour()]

    @Test func aUnitThatEndedTheAppIsSkippedAtTheNextStartAndThatIsSaid() throws {
        try crash(.gpu, [.cpu: Behaviour()])
        let opener = FakeOpener(faster)
        for _ in 0..<2 {
            let placement = try select(notes(), opener)
            #expect(placement.chosen.unit == .cpu)
            #expect(refusal(placement, .gpu).contains("the app ended while it was tried; it is skipped until"))
        }
        #expect(!opener.record.opened.contains(.gpu))
        // Also where it is asked for alone: else a choice that is kept would end every start.
        #expect(sentence { _ = try select(notes(), opener, request(.gpu)) }.contains("it is skipped"))
        // Another artifact is another matter.
        let other = ArtifactFile(artifact: artifact(), path: "sums", sha256: String(repeating: "1", count: 64))
        #expect(try select(notes(), opener, request(file: other)).chosen.unit == .gpu)
    }

    @Test func aNewVersionOfTheAppOrTheSystemTriesAgain() throws {
        try crash(.gpu, [.cpu: Behaviour()])
        #expect(try select(notes("app 1, iOS 18.1"), FakeOpener(faster)).chosen.unit == .gpu)
        #expect(try FileManager.default.contentsOfDirectory(atPath: units).count == 1)
    }

    @Test func anAppThatEndedForAnotherReasonBlamesNoUnit() throws {
        try crash(.gpu, [.cpu: Behaviour()])
        var asked = 0
        let innocent = notes(isInnocent: {
            asked += 1
            return true
        })
        #expect(try select(innocent, FakeOpener(faster)).chosen.unit == .gpu)
        _ = notes(isInnocent: {
            asked += 1
            return true
        })
        #expect(asked == 1)
    }

    @Test func theCpuWithoutWhichNothingMayBeLeftHasASecondChance() throws {
        try crash(.cpu)
        #expect(try select(notes(), FakeOpener([.cpu: Behaviour()])).chosen.unit == .cpu)
        try FileManager.default.removeItem(atPath: units)
        try crash(.cpu)
        try crash(.cpu)
        let told = sentence { _ = try select(notes(), FakeOpener([.cpu: Behaviour()])) }
        #expect(told.contains("CPU: the app ended"))
    }

    @Test func whatIsRefusedLeavesNoNote() throws {
        _ = try select(notes(), FakeOpener([.gpu: Behaviour(answer: { _ in [0, 0] }), .cpu: Behaviour()]))
        let all = try FileManager.default.subpathsOfDirectory(atPath: units)
        #expect(all.filter { $0.contains("-") }.allSatisfy { $0.contains("/choice-") })
    }

    @Test func aChoiceIsKeptAndLoadedAtOnce() throws {
        let first = try select(notes(), FakeOpener(faster))
        let opener = FakeOpener(faster)
        let again = try select(notes(), opener)
        #expect(opener.record.opened == [.gpu] && opener.record.inMemory == 1)
        #expect(again.trials == first.trials && again.chosen == first.chosen)
    }

    @Test func aChoiceInAnotherModeIsKeptWithAllThatWasSaid() throws {
        func opener() -> FakeOpener {
            FakeOpener(
                [.gpu: Behaviour(answer: { _ in [0, 0] }), .cpu: Behaviour()],
                [Asked(.gpu, .float32): Behaviour(steady: milliseconds / 2)])
        }
        let first = try select(notes(), opener())
        let again = opener()
        #expect(try select(notes(), again).trials == first.trials)
        #expect(again.record.asked == [Asked(.gpu, .float32)])
    }

    @Test func aChoiceThatDoesNotHoldAnyMoreIsMadeAnew() throws {
        let changes = [Behaviour(answer: { _ in [0, 0] }), Behaviour(steady: 5 * milliseconds), nil]
        for changed in changes {
            _ = try select(notes(), FakeOpener(faster))
            var now: [ComputeUnit: Behaviour] = [.cpu: Behaviour()]
            now[.gpu] = changed
            let opener = FakeOpener(now)
            #expect(try select(notes(), opener).chosen.unit == .cpu)
            #expect(opener.record.inMemory == 1 && opener.record.mostInMemory == 1)
            try FileManager.default.removeItem(atPath: units)
        }
    }

    @Test func otherUnitsAnotherFileAndAnotherVersionAreOtherChoices() throws {
        _ = try select(notes(), FakeOpener(faster))
        let asked = FakeOpener(faster)
        _ = try select(notes(), asked, request(.cpu))
        let other = ArtifactFile(artifact: artifact(), path: "sums", sha256: String(repeating: "1", count: 64))
        _ = try select(notes(), asked, request(file: other))
        _ = try select(notes("app 2"), asked)
        #expect(asked.record.opened == [.cpu, .cpu, .gpu, .cpu, .gpu])
    }

    @Test func aDamagedNoteIsNoChoice() throws {
        for text in ["", "{}", "{\"chosen\":\"gpu\",\"trials\":[]}", "[", "{\"chosen\":\"xpu\",\"trials\":[{}]}"] {
            _ = try select(notes(), FakeOpener(faster))
            let name = try #require(
                FileManager.default.subpathsOfDirectory(atPath: units).first { $0.contains("choice-") })
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(units)/\(name)"))
            #expect(try select(notes(), FakeOpener(faster)).chosen.unit == .gpu)
        }
    }

    @Test func whatCannotBeNotedIsTriedAllTheSame() throws {
        try Data("a file where a folder should be".utf8).write(to: URL(fileURLWithPath: units))
        #expect(try select(notes(), FakeOpener([.cpu: Behaviour()])).chosen.unit == .cpu)
    }
}
