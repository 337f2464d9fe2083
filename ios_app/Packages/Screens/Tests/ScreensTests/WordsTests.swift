import Contract
import Engines
import Testing

@testable import Screens

struct WordsTests {
    private let answers = [
        Answer(label: "3", index: 3, score: 0.914, box: Box(x1: 1, y1: 2, x2: 3, y2: 4)),
        Answer(label: "7", index: 7, score: 0.5, box: Box(x1: 1, y1: 2, x2: 3, y2: 4)),
        Answer(label: "3", index: 3, score: 0.45, box: Box(x1: 1, y1: 2, x2: 3, y2: 4)),
    ]
    private let npu = Trial(.npu, proof: .requested, times: Times(load: 12.3, first: 4.56, steady: 2.34))

    @Test func figuresAreRoundedForPeople() {
        #expect(percent(0.914) == "91 %")
        #expect(milliseconds(2.34) == "2.3 ms" && milliseconds(12.34) == "12 ms")
        #expect(ratio(1.5) == "1.5×")
    }

    @Test func theStatusLineSaysWhatRanAndHowSureThatIs() {
        let placed = Placed(chosen: npu, trials: [npu])
        #expect(statusLine(.ready(placed, plan: nil)) == "NPU · 2.3 ms · requested, not proven")
        #expect(statusLine(.released) == "Memory was low: the model was unloaded")
        #expect(fate(Trial(.gpu, refusal: "status 504")) == "refused: status 504")
        #expect(figures(npu) == "2.3 ms a run · first 4.6 ms · load 12 ms")
    }

    @Test func aSummaryIsTheBestLabelOrHowManyThereAreOfEach() throws {
        let label = try #require(summary(.classification, answers))
        #expect(label.text == "3" && label.figure == "91 %")
        let found = try #require(summary(.detection, answers))
        #expect(found.text == "3 (2) · 7" && found.figure == "3 found")
        #expect(summary(.detection, [])?.text == "Nothing found")
        #expect(summary(.detection, nil) == nil)
    }

    @Test func whatVoiceOverSaysOfTheImage() {
        var state = State()
        #expect(description(state) == "Camera image")
        state.bundles = [BundleChoice(name: "a", task: .detection, labels: 10, opened: false)]
        state.bundle = "a"
        state.seen = Seen(answers: answers, width: 9, height: 9)
        #expect(description(state) == "Camera image: 3 objects, first 3, 91 %")
        state.source = .photo
        state.seen?.answers = []
        #expect(description(state) == "Photo: nothing found")
    }

    @Test func answersAsTextHaveAllThatIsNeededToReadThem() {
        var state = State()
        state.bundle = "scenes"
        state.artifact = "scenes.fp16"
        state.model = .none
        let text = answersAsText(state, Seen(answers: [answers[0]], width: 640, height: 480))
        #expect(text == "scenes, scenes.fp16, No model, image of 640 x 480 pixels\n3, 91 %, box 1.0 2.0 3.0 4.0")
    }

    @Test func zoomGoesOnToTheNextPowerOfTwoAndBackFromTheLargest() {
        var state = State()
        state.lens = Lens(mostZoom: 5)
        var seen: [Float] = []
        for _ in 0..<4 {
            state.zoom = nextZoom(state)
            seen.append(state.zoom)
        }
        #expect(seen == [2, 4, 1, 2])
    }

    @Test func everyCameraHasItsWords() {
        #expect(noCamera(.failed("it broke")).sentence == "it broke")
        #expect(noCamera(.denied).title == "The camera is not allowed")
        #expect(noCamera(.absent).title == "No camera")
    }

    @Test func valuesStandWhereALanguagePutsThem() {
        #expect(filled("%@ of %@", ["1", "2"]) == "1 of 2")
        #expect(filled("%2$@ %1$@ %1$@", ["a", "b"]) == "b a a")
        #expect(filled("100 %% of %@", ["x"]) == "100 % of x")
        // A value is no template, and a template without its value stays readable.
        #expect(filled("%@: %@", ["%@", "50 %"]) == "%@: 50 %")
        #expect(filled("%@ %@ %3$@ 5 % %", ["a"]) == "a %@ %3$@ 5 % %")
        #expect(localized("%@ a run", "2 ms") == "2 ms a run")
    }

    @Test func aPictureHasAllPixelsOfItsImageAndLettersOfUsualSize() {
        #expect(paper(width: 720, height: 1280) == Paper(width: 360, height: 640, scale: 2))
        #expect(paper(width: 4000, height: 3000).scale * paper(width: 4000, height: 3000).width == 4000)
        // 28 x 28 pixels are drawn 26 times as large.
        #expect(paper(width: 28, height: 28) == Paper(width: 360, height: 360, scale: 728.0 / 360))
        #expect(paper(width: 0, height: 0).scale > 0)
    }

    @Test func whatIsWaitedFor() {
        var state = State()
        #expect(waiting(state) == "Reading the models …")
        state.opening = "mine.zip"
        #expect(waiting(state) == "Opening mine.zip …")
        state.opening = nil
        state.model = .none
        #expect(waiting(state) == nil)
        #expect(name(BundleChoice(name: "a", task: .detection, labels: 1, opened: true)) == "a, opened from a file")
    }
}
