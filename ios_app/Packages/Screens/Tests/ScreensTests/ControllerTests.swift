import Contract
import Engines
import Foundation
import Testing

@testable import Screens

@MainActor
struct ControllerTests {
    private let phone = FakePhone()

    @Test func withoutBundlesThereIsNoModelAndNothingFails() async throws {
        try await phone.start()
        #expect(phone.state.model == .none && phone.state.bundles.isEmpty && phone.state.problem == nil)
    }

    @Test func beforeTheBundlesAreReadItIsLoading() {
        #expect(phone.state.model == .loading)
    }

    @Test func beginsWithTheFirstBundleAndItsFirstArtifactThatTheServerPassed() async throws {
        let artifacts = ["sums.a": Sample(passed: false), "sums.b": Sample(passed: true), "sums.c": Sample()]
        phone.shelf.bundles.value = [try phone.shelved("sums", artifacts), try phone.shelved("spots")]
        try await phone.start()
        #expect(phone.state.bundle == "sums" && phone.state.artifact == "sums.b")
        #expect(phone.state.artifacts.map(\.passed) == [false, true, nil])
        #expect(phone.ready?.chosen.unit == .gpu)
        #expect(phone.ready?.trials.map(\.unit) == [.npu, .gpu, .cpu])
        let placed = try #require(phone.ready)
        #expect(phone.state.model == .ready(placed, plan: "planned for the GPU"))
    }

    @Test func beginsWithWhatWasChosenLastWhereItIsStillThere() async throws {
        phone.memory.choices = Choices(bundle: "spots", artifact: "spots.fp32", unit: .cpu)
        try await phone.start("sums", "spots")
        #expect(phone.state.bundle == "spots" && phone.ready?.chosen.unit == .cpu)
        let other = FakePhone()
        other.memory.choices = Choices(bundle: "gone", artifact: "gone.fp32", unit: nil)
        try await other.start("sums")
        #expect(other.state.bundle == "sums")
    }

    @Test func anArtifactThatNeedsANewerSystemOrAnotherChipIsNotOfferedAndThatIsSaid() async throws {
        let artifacts = [
            "sums.a": Sample(ios: "27.0"), "sums.b": Sample(ios: "17.5"), "sums.c": Sample(ios: "18"),
            "sums.d": Sample(chips: ["SM8650", "Tensor G3"]),
        ]
        phone.shelf.bundles.value = [try phone.shelved("sums", artifacts)]
        try await phone.start()
        #expect(phone.state.artifacts.map(\.name) == ["sums.b"])
        #expect(
            phone.state.notOffered == [
                "sums.a needs iOS 27.0, and this device has iOS 17.5",
                "sums.c needs iOS 18, and this device has iOS 17.5",
                "sums.d is for SM8650 and Tensor G3, and this device does not name its chip",
            ])
    }

    @Test func aUnitThatRefusesIsASentenceAndAnotherChoiceMendsIt() async throws {
        try await phone.start("sums")
        await phone.app.onFrame(frame())
        await phone.ask(.chooseUnit(.npu))
        #expect(phone.failure?.contains("no NPU here") == true)
        await phone.app.onFrame(frame())
        #expect(phone.labels == [])
        await phone.ask(.chooseUnit(.cpu))
        #expect(phone.ready?.chosen.unit == .cpu)
        #expect(phone.memory.choices == Choices(bundle: "sums", artifact: "sums.fp32", unit: .cpu))
        #expect(phone.opener.inMemory.value == 1)
    }

    @Test func ofManyChoicesInARowTheLastIsLoaded() async throws {
        try await phone.start("sums", "spots")
        await phone.app.onFrame(frame())
        #expect(phone.labels.count == 2)
        phone.opener.opened.value = []
        phone.app.onEvent(.chooseBundle("spots"))
        #expect(phone.labels == [])
        phone.app.onEvent(.chooseBundle("sums"))
        phone.app.onEvent(.chooseTask(.detection))
        #expect(phone.state.model == .loading && phone.state.latencies == [])
        await phone.app.settled()
        #expect(phone.state.bundle == "spots" && phone.ready != nil)
        #expect(Set(phone.opener.opened.value.map(\.artifact)) == ["spots.fp32"])
        #expect(phone.opener.inMemory.value == 1)
    }

    @Test func aChoiceDuringALoadEndsThatLoad() async throws {
        phone.shelf.bundles.value = [try phone.shelved("sums"), try phone.shelved("spots")]
        let (begun, go) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        phone.opener.opening.value = {
            begun.signal()
            _ = go.wait(timeout: .now() + 10)
        }
        phone.app.start()
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                _ = begun.wait(timeout: .now() + 10)
                continuation.resume()
            }
        }
        phone.opener.opening.value = {}
        phone.app.onEvent(.chooseBundle("spots"))
        go.signal()
        await phone.app.settled()
        // One attempt, and not one more with the next unit.
        #expect(phone.opener.opened.value.filter { $0.artifact == "sums.fp32" }.count == 1)
        #expect(phone.state.bundle == "spots" && phone.ready != nil && phone.opener.inMemory.value == 1)
    }

    @Test func memoryIsGivenBackAndATapBringsTheModelAgainButNoFrame() async throws {
        try await phone.start("sums")
        phone.app.release()
        await phone.app.settled()
        #expect(phone.state.model == .released && phone.opener.inMemory.value == 0)
        await phone.app.onFrame(frame())
        phone.app.wake()
        await phone.app.settled()
        #expect(phone.state.model == .released)
        await phone.ask(.loadAgain)
        #expect(phone.ready != nil && phone.opener.inMemory.value == 1)
    }

    @Test func memoryThatWasGivenBackWhileNobodyLookedComesBackWithThem() async throws {
        try await phone.start("sums")
        phone.app.release(hidden: true)
        await phone.app.settled()
        phone.app.wake()
        await phone.app.settled()
        #expect(phone.ready != nil)
    }

    @Test func theListenerIsToldOfEveryMomentTheNewestFirstOfAll() async throws {
        try await phone.start("sums")
        var told: [String?] = []
        phone.app.listener = { told.append($0.state.problem) }
        phone.app.problem("one")
        phone.app.onEvent(.dismiss)
        #expect(told == [nil, "one", nil])
    }

    @Test func heatIsShown() async throws {
        phone.app.heatIs(true)
        #expect(phone.state.hot)
    }
}

@MainActor
struct ControllerBundlesTests {
    private let phone = FakePhone()

    @Test func aBrokenBundleIsToldAndTheOthersWork() async throws {
        phone.shelf.problems.value = ["bad: not a bundle", "worse"]
        try await phone.start("sums")
        #expect(phone.state.problem == "bad: not a bundle" && phone.ready != nil)
        await phone.ask(.dismiss)
        #expect(phone.state.problem == nil)
    }

    @Test func bundlesThatCannotBeReadAtAllAreOneSentenceAndNothingIsWaitedFor() async throws {
        phone.shelf.failure.value = SamesightError("the disk is full")
        try await phone.start()
        #expect(phone.state.problem == "the disk is full" && phone.state.model == .none)
    }

    @Test func aBundleForOtherRuntimesSaysWhatToConvertTo() async throws {
        phone.shelf.bundles.value = [try phone.shelved("sums", ["sums.x": Sample(format: "onnx")])]
        try await phone.start()
        #expect(
            phone.failure == "model sums: has no artifact that this app runs; convert it to coreml")
    }

    @Test func anOpenedBundleIsChosenAndOneThatIsRefusedChangesNothing() async throws {
        try await phone.start("sums")
        phone.app.onBundle(Picked(name: "mine.zip", path: "/mine.zip"))
        await phone.app.settled()
        #expect(phone.state.problem == "mine.zip: damaged")
        // The last good model stays.
        #expect(phone.state.bundle == "sums" && phone.ready != nil && phone.state.opening == nil)
        phone.shelf.next.value = try phone.shelved("spots", opened: true)
        phone.app.onBundle(Picked(name: "mine.zip", path: "/mine.zip"))
        await phone.app.settled()
        #expect(phone.state.bundle == "spots" && phone.ready != nil && phone.state.chosen?.opened == true)
    }

    @Test func aBundleThatWasOpenedIsRemovedAndWhatItHidComesBack() async throws {
        phone.shelf.bundles.value = [try phone.shelved("spots"), try phone.shelved("sums", opened: true)]
        phone.shelf.hidden.value = try phone.shelved("sums")
        phone.memory.choices.bundle = "sums"
        try await phone.start()
        #expect(phone.state.chosen?.opened == true)
        await phone.ask(.removeBundle("sums"))
        #expect(phone.state.chosen?.name == "sums" && phone.state.chosen?.opened == false && phone.ready != nil)
    }

    @Test func aBundleThatCannotBeRemovedIsOneSentence() async throws {
        phone.shelf.bundles.value = [try phone.shelved("sums", opened: true)]
        try await phone.start()
        phone.shelf.failure.value = SamesightError("sums: cannot be removed")
        await phone.ask(.removeBundle("sums"))
        #expect(phone.state.problem == "sums: cannot be removed")
    }

    @Test func afterTheLastBundleWasRemovedThereIsNone() async throws {
        phone.shelf.bundles.value = [try phone.shelved("sums", opened: true)]
        try await phone.start()
        await phone.ask(.removeBundle("sums"))
        #expect(phone.state.bundles.isEmpty && phone.state.bundle == nil && phone.state.model == .none)
        #expect(phone.opener.inMemory.value == 0)
    }

    @Test func whileABundleIsOpenedItsFileIsNamed() async throws {
        try await phone.start("sums")
        var names: [String?] = []
        phone.app.listener = { names.append($0.state.opening) }
        phone.app.onBundle(Picked(name: "mine.zip", path: "/mine.zip"))
        await phone.app.settled()
        #expect(names.contains("mine.zip") && phone.state.opening == nil)
    }
}

@MainActor
struct ControllerImagesTests {
    private let phone = FakePhone()

    @Test func aFrameIsAnsweredShownAndTimed() async throws {
        try await phone.start("sums")
        await phone.app.onFrame(frame(4, 2))
        #expect(phone.state.seen?.width == 4 && phone.state.seen?.height == 2)
        #expect(phone.labels.count == 2)
        // The screen has the camera's own image: none is made for it.
        #expect(phone.app.moment.image == nil)
        #expect(phone.state.latencies == [Latency(preprocess: 1, network: 1, answers: 1)])
        for _ in 0..<history + 5 { await phone.app.onFrame(frame()) }
        #expect(phone.state.latencies.count == history)
    }

    @Test func aFrontCamerasNetworkSeesTheWorldPeopleSeeTheMirrorBoxesFitTheMirror() async throws {
        try await phone.start("spots")
        await phone.app.onFrame(frame())
        // The first pixel has level 20: from the left edge to 20 of 255.
        let plain = try #require(phone.state.seen?.answers.first?.box)
        #expect(plain == Box(x1: 0, y1: 0, x2: 2 * 20 / 255, y2: plain.y2))
        await phone.app.onFrame(frame(mirror: true))
        #expect(phone.state.seen?.answers.first?.box == Box(x1: 2 - plain.x2, y1: 0, x2: 2, y2: plain.y2))
        await phone.ask(.pause)
        await phone.app.onFrame(frame(mirror: true))
        #expect(phone.app.moment.image?.rgb == [80, 100, 120, 20, 40, 60])
    }

    @Test func aPauseShowsTheVeryFrameThatIsLookedAtNextAndKeepsIt() async throws {
        try await phone.start("spots")
        await phone.app.onFrame(frame())
        await phone.ask(.pause)
        #expect(phone.state.paused && !phone.state.still && phone.app.watching)
        await phone.app.onFrame(frame(8))
        #expect(phone.state.seen?.width == 8 && phone.app.moment.image?.width == 8 && phone.state.still)
        #expect(!phone.app.watching)
        await phone.app.onFrame(frame(4))
        #expect(phone.state.seen?.width == 8)
        // Other models look at the same frame.
        await phone.ask(.chooseUnit(.cpu))
        #expect(phone.labels == ["spot"] && phone.app.moment.image?.width == 8)
        phone.app.cameraIs(.failed("another app took it"))
        #expect(phone.app.moment.image?.width == 8)
        phone.app.cameraIs(.on)
        await phone.ask(.resume)
        #expect(!phone.state.paused && !phone.state.still && phone.state.seen == nil && phone.app.moment.image == nil)
        await phone.app.onFrame(frame(4))
        #expect(phone.state.seen?.width == 4 && phone.app.moment.image == nil)
    }

    @Test func withoutARunningCameraThereIsNothingToPause() async throws {
        try await phone.start("sums")
        phone.app.cameraIs(.denied)
        await phone.ask(.pause)
        #expect(!phone.state.paused)
    }

    @Test func zoomStaysWithinWhatTheLensHasTorchNeedsALightAndBothEndWithTheSide() async throws {
        try await phone.start("sums")
        phone.app.lensIs(Lens(switchable: true, leastZoom: 0.5, mostZoom: 4))
        await phone.ask(.zoomBy(1.5))
        await phone.ask(.zoomBy(2))
        #expect(phone.state.zoom == 3)
        await phone.ask(.zoomBy(2))
        #expect(phone.state.zoom == 4)
        await phone.ask(.zoomTo(0.1))
        #expect(phone.state.zoom == 0.5)
        await phone.ask(.torch(true))
        #expect(!phone.state.torch)
        phone.app.lensIs(Lens(torch: true, mostZoom: 2))
        #expect(phone.state.zoom == 1)
        await phone.ask(.torch(true))
        #expect(phone.state.torch)
        await phone.ask(.switchCamera)
        #expect(phone.state.front && phone.state.zoom == 1 && !phone.state.torch)
    }

    @Test func theLeastScoreIsTheModelsOwnUntilAnotherIsChosenForStillImagesAtOnce() async throws {
        try await phone.start("spots", "sums")
        #expect(phone.state.chosen?.threshold == 0.4)
        phone.app.onPhoto(Picked(name: "a.jpg", path: "/a.jpg"))
        await phone.app.settled()
        let score = try #require(phone.state.seen?.answers.first?.score)
        await phone.ask(.chooseThreshold(score + 0.01))
        #expect(phone.labels == [])
        // Another unit is another load, with the same least score.
        await phone.ask(.chooseUnit(.cpu))
        #expect(phone.labels == [])
        await phone.ask(.chooseThreshold(nil))
        #expect(phone.state.seen?.answers.first?.score == score)
        await phone.ask(.chooseThreshold(0.95))
        await phone.ask(.chooseBundle("sums"))
        #expect(phone.state.threshold == nil && phone.state.chosen?.threshold == nil)
        await phone.ask(.chooseBundle("spots"))
        #expect(phone.state.seen?.answers.first?.score == score)
    }

    @Test func boxesAreInPixelsOfTheUprightImage() async throws {
        try await phone.start("spots")
        await phone.app.onFrame(frame(8, 2, try Orientation(quarterTurns: 1)))
        #expect(phone.state.seen?.width == 2 && phone.state.seen?.height == 8)
        let box = try #require(phone.state.seen?.answers.first?.box)
        #expect(box.x2 <= 2 && box.y2 > 2)
    }

    @Test func aCameraThatFailsShowsNothingOldAndIsTriedAgain() async throws {
        try await phone.start("sums")
        await phone.app.onFrame(frame())
        phone.app.cameraIs(.failed("another app took it"))
        #expect(phone.state.seen == nil && !phone.app.watching)
        await phone.app.onFrame(frame())
        #expect(phone.state.seen == nil)
        await phone.ask(.retryCamera)
        await phone.app.onFrame(frame())
        #expect(phone.state.seen != nil)
        phone.app.cameraIs(.failed("again"))
        await phone.ask(.switchCamera)
        #expect(phone.state.camera == .on && phone.state.front)
    }

    @Test func aCameraThatFailsWhileAPhotoIsShownLeavesThePhoto() async throws {
        try await phone.start("sums")
        phone.app.onPhoto(Picked(name: "a.jpg", path: "/a.jpg"))
        await phone.app.settled()
        phone.app.cameraIs(.failed("another app took it"))
        #expect(phone.state.source == .photo && phone.labels.count == 2 && phone.app.moment.image?.width == 2)
    }

    @Test func aFrameWhoseBytesAreTooFewIsOneSentence() async throws {
        try await phone.start("sums")
        let broken = FakePixels(width: 2, height: 1, failure: SamesightError("plane y: 1 bytes"))
        await phone.app.onFrame(CameraFrame(broken, .upright, mirror: false))
        #expect(phone.failure == "plane y: 1 bytes")
    }

    @Test func aNetworkThatFailsIsToldOnceAndLooksAtNothingMore() async throws {
        try await phone.start("sums")
        phone.opener.running.value = { throw SamesightError("the driver is gone") }
        await phone.app.onFrame(frame())
        #expect(phone.failure == "the driver is gone" && phone.labels == [])
        phone.opener.running.value = {}
        await phone.app.onFrame(frame())
        #expect(phone.labels == [])
        await phone.ask(.loadAgain)
        await phone.app.onFrame(frame())
        #expect(phone.labels.count == 2)
    }

    @Test func ofFramesThatComeWhileOneIsLookedAtNoneIsQueued() async throws {
        try await phone.start("sums")
        async let one: Void = phone.app.onFrame(frame())
        async let other: Void = phone.app.onFrame(frame())
        _ = await (one, other)
        #expect(phone.state.latencies.count == 1)
    }

    @Test func aPhotoIsLookedAtAndAgainWithAnotherModelUntilTheCameraIsUsed() async throws {
        try await phone.start("sums", "spots")
        phone.app.onPhoto(Picked(name: "a.jpg", path: "/a.jpg"))
        await phone.app.settled()
        #expect(phone.labels == ["right", "left"] && phone.state.still && phone.state.source == .photo)
        await phone.ask(.chooseBundle("spots"))
        #expect(phone.labels == ["spot"])
        await phone.app.onFrame(frame(4))
        #expect(phone.state.seen?.width == 2)
        await phone.ask(.useCamera)
        #expect(phone.state.seen == nil && phone.app.moment.image == nil)
        await phone.app.onFrame(frame(4))
        #expect(phone.state.seen?.width == 4)
    }

    @Test func aPhotoThatCannotBeReadIsOneSentenceAndTheCameraGoesOn() async throws {
        try await phone.start("sums")
        phone.photos.read.value = { @Sendable _ in throw SamesightError("a.jpg: is no image that this device reads") }
        phone.app.onPhoto(Picked(name: "a.jpg", path: "/a.jpg"))
        await phone.app.settled()
        #expect(phone.state.problem == "a.jpg: is no image that this device reads")
        #expect(phone.state.source == .camera && phone.ready != nil)
    }

    @Test func noFrameIsLookedAtWhileTheSelfTestIsShown() async throws {
        try await phone.start("sums")
        await phone.ask(.showSelfTest)
        await phone.app.onFrame(frame())
        #expect(phone.state.seen == nil)
        await phone.ask(.back)
        await phone.app.onFrame(frame())
        #expect(phone.state.seen != nil)
    }

    @Test func ofALargePhotoEveryNthPixelIsShownOfASmallOneAll() throws {
        let pixels = (0..<3 * 6 * 4).map { UInt8($0) }
        let small = shown(try Picture(pixels, 6, 4), most: 6)
        #expect(small.rgb == pixels)
        let large = shown(try Picture(pixels, 6, 4, try Orientation(quarterTurns: 2)), most: 3)
        #expect(large.width == 3 && large.height == 2)
        #expect(Array(large.rgb.suffix(3)) == [0, 1, 2])
    }
}

@MainActor
struct SelfTestTests {
    private let phone = FakePhone()

    @Test func runsEveryArtifactOnEveryUnitAndTheModelIsBackAfterwards() async throws {
        phone.shelf.bundles.value = [try phone.shelved("sums", ["sums.a": Sample(), "sums.b": Sample()])]
        try await phone.start()
        #expect(phone.app.results == nil)
        await phone.ask(.runSelfTest)
        let result = try #require(phone.result)
        let names = result.runs.map { "\($0.artifact) \($0.unit.name)" }
        #expect(names == ["sums.a CPU", "sums.a GPU", "sums.a NPU", "sums.b CPU", "sums.b GPU", "sums.b NPU"])
        #expect(result.judgement == Judgement(passed: [true, true, false, true, true, false], failures: []))
        #expect(result.runs[2].refusal == "no NPU here")
        #expect(verdict(result) == "All 4 runs match the server model")
        #expect(phone.app.results?.contains("iOS app test") == true)
        #expect(phone.ready != nil && phone.opener.inMemory.value == 1 && phone.opener.mostInMemory.value == 1)
    }

    @Test func cancellingEndsItAndTheModelIsBack() async throws {
        try await phone.start("sums")
        phone.app.onEvent(.runSelfTest)
        phone.app.onEvent(.cancelSelfTest)
        await phone.app.settled()
        if case .idle = phone.state.selfTest {} else { Issue.record("still \(phone.state.selfTest)") }
        #expect(phone.ready != nil && phone.app.results == nil)
    }

    @Test func anotherBundleEndsItAndItsResultsAreNotShown() async throws {
        try await phone.start("sums", "spots")
        phone.app.onEvent(.runSelfTest)
        phone.app.onEvent(.chooseBundle("spots"))
        await phone.app.settled()
        if case .idle = phone.state.selfTest {} else { Issue.record("still \(phone.state.selfTest)") }
        #expect(phone.app.results == nil && phone.ready != nil && phone.opener.inMemory.value == 1)
    }

    @Test func aRunThatDiffersIsAFailureWithItsSentence() async throws {
        try await phone.start("sums")
        // The network answers what it is asked while units are chosen, and fails after.
        let runs = Shared(0)
        phone.opener.running.value = {
            runs.change { $0 += 1 }
            if runs.value > 20 { throw SamesightError("the driver is gone") }
        }
        await phone.ask(.runSelfTest)
        let result = try #require(phone.result)
        #expect(result.judgement.failures == ["sums.fp32: no unit runs it; the driver is gone"])
        #expect(verdict(result) == "One failure")
    }

    @Test func withoutAHandItWritesAFileOfEachModelAndNoneOfWhatFailed() async throws {
        try await phone.start("sums", "spots")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("results-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let written = await phone.app.testAll(into: folder)
        #expect(written == ["\(folder)/device-parity-sums.json", "\(folder)/device-parity-spots.json"])
        for (path, artifact) in zip(written, ["sums.fp32", "spots.fp32"]) {
            #expect(try String(contentsOfFile: path, encoding: .utf8).contains("\"artifact\": \"\(artifact)\""))
        }
        #expect(phone.state.testing)
        #expect(await phone.app.testAll(into: folder, only: "sums") == Array(written.prefix(1)))
        // Its golden cases are gone, and with them what an earlier test wrote.
        let bundle = try #require(phone.shelf.bundles.value.first { $0.bundle.spec.name == "sums" }).bundle
        try FileManager.default.removeItem(atPath: "\(bundle.folder)/golden/000.input")
        #expect(await phone.app.testAll(into: folder, only: "sums") == [])
        #expect(!FileManager.default.fileExists(atPath: written[0]))
        guard case .failed(let sentence) = phone.state.selfTest else {
            Issue.record("not failed: \(phone.state.selfTest)")
            return
        }
        #expect(sentence.contains("000.input"))
        #expect(await phone.app.testAll(into: folder, only: "none") == [])
        #expect(phone.state.problem == "none: is no model of this app")
        #expect(await phone.app.testAll(into: "/proc/none", only: "spots") == [])
        #expect(phone.state.problem?.hasPrefix("device-parity-spots.json: cannot be written (") == true)
    }
}
