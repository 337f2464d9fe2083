import Contract
import Testing

@testable import Engines

struct ComputeUnitSelectorTests {
    private func select(_ opener: FakeOpener, _ asked: Request = request()) throws -> Placement {
        try place(asked, opener) { opener.record.now }
    }

    private func refusal(_ placement: Placement, _ unit: ComputeUnit) -> String {
        placement.trials.first { $0.unit == unit }?.refusal ?? ""
    }

    @Test func aPhoneWithTheCpuAloneSaysWhyTheOthersAreRefused() throws {
        let ms = milliseconds
        let opener = FakeOpener([.cpu: Behaviour(steady: 3 * ms, first: 9 * ms, load: 40 * ms)])
        let placement = try select(opener)
        #expect(placement.chosen.unit == .cpu)
        #expect(placement.chosen.times == Times(load: 40, first: 9, steady: 3))
        #expect(placement.trials.map(\.refusal) == ["status 504 for NPU", "status 504 for GPU", nil])
        #expect(opener.record.inMemory == 1)
    }

    @Test func theHighestUnitWithTheRightOutputsIsTaken() throws {
        let placement = try select(FakeOpener([.cpu: Behaviour(), .gpu: Behaviour(steady: milliseconds / 2)]))
        #expect(placement.chosen.unit == .gpu && placement.chosen.proof == .certain)
        #expect(placement.trials.map(\.unit) == [.npu, .gpu, .cpu])
    }

    @Test func anNpuThatGivesWrongOutputsIsRefused() throws {
        let wrong = Behaviour(steady: 1000, answer: { logits($0).reversed() })
        let placement = try select(FakeOpener([.npu: wrong, .cpu: Behaviour()]))
        #expect(placement.chosen.unit == .cpu)
        #expect(refusal(placement, .npu).contains("dB from the server model's"))
    }

    @Test func anOutputThatNeverChangesIsRefused() throws {
        let constant = logits(goldenCases3[0].tensor)
        let placement = try select(FakeOpener([.gpu: Behaviour(answer: { _ in constant }), .cpu: Behaviour()]))
        #expect(placement.chosen.unit == .cpu)
    }

    @Test func aGpuThatGivesNanIsRefused() throws {
        let placement = try select(FakeOpener([.gpu: Behaviour(answer: { _ in [.nan, .nan] }), .cpu: Behaviour()]))
        #expect(placement.chosen.unit == .cpu)
        #expect(refusal(placement, .gpu).contains("not finite"))
    }

    @Test func aSlowerGpuIsPassedOverAndShown() throws {
        let placement = try select(FakeOpener([.gpu: Behaviour(steady: 3 * milliseconds), .cpu: Behaviour()]))
        #expect(placement.chosen.unit == .cpu)
        let gpu = try #require(placement.trials.first { $0.unit == .gpu })
        #expect(gpu.slower && gpu.refusal == nil)
        #expect(gpu.line.contains("3.00 ms a run") && gpu.line.contains("slower than the CPU"))
    }

    @Test func aSlowerGpuThatIsAskedForAloneIsTakenAndShownSo() throws {
        let opener = FakeOpener([.gpu: Behaviour(steady: 3 * milliseconds), .cpu: Behaviour()])
        let placement = try select(opener, request(.gpu))
        #expect(placement.chosen.unit == .gpu && placement.chosen.slower)
    }

    @Test func anNpuThatCouldBeTheCpuIsNeverCertain() throws {
        let silent = Behaviour(certain: false, operations: 2_000_000)
        let opener = FakeOpener([.npu: silent, .cpu: Behaviour()])
        let placement = try select(opener, request(.npu))
        #expect(placement.chosen.proof == .requested)
        #expect(placement.chosen.line.contains("requested, not proven"))
        // Where it is as fast as the CPU, the CPU is what it says.
        #expect(try select(opener).chosen.unit == .cpu)
    }

    @Test func anNpuThatMayBeTheCpuIsTakenWhereNothingProvenIsFaster() throws {
        let unsure = Behaviour(steady: 8 * milliseconds, certain: false)
        let faster = FakeOpener([.npu: unsure, .cpu: Behaviour(steady: 10 * milliseconds)])
        let placement = try select(faster)
        #expect(placement.chosen.unit == .npu && placement.chosen.proof == .requested)
        #expect(faster.record.opened == [.cpu, .npu, .npu])
        #expect(faster.record.inMemory == 1 && faster.record.mostInMemory == 1)
        #expect(try select(FakeOpener([.npu: unsure])).chosen.unit == .npu)
        #expect(try select(FakeOpener([.npu: unsure, .cpu: Behaviour(steady: 8 * milliseconds)])).chosen.unit == .cpu)
    }

    @Test func ofTwoThatMayBeTheCpuTheFirstOneThatIsFasterIsTaken() throws {
        // As with Core ML, where nothing but the CPU is ever certain.
        func chosen(_ npu: Int, _ gpu: Int) throws -> ComputeUnit {
            let units: [ComputeUnit: Behaviour] = [
                .npu: Behaviour(steady: npu * milliseconds, certain: false),
                .gpu: Behaviour(steady: gpu * milliseconds, certain: false),
                .cpu: Behaviour(steady: 10 * milliseconds),
            ]
            return try select(FakeOpener(units)).chosen.unit
        }
        #expect(try chosen(10, 4) == .gpu)
        #expect(try chosen(6, 4) == .npu)
        #expect(try chosen(10, 10) == .cpu)
    }

    @Test func anNpuThatRefusesAPartIsTriedWithTheCpuAfterAllThatRunByThemselves() throws {
        let shared = [Asked(.npu, .withCpu): Behaviour(steady: 2 * milliseconds, certain: false)]
        let cpu = Behaviour(steady: 10 * milliseconds)
        let withGpu = FakeOpener([.cpu: cpu, .gpu: Behaviour(steady: 5 * milliseconds)], shared)
        #expect(try select(withGpu).chosen.unit == .gpu)
        #expect(!withGpu.record.asked.contains(Asked(.npu, .withCpu)))
        let without = try select(FakeOpener([.cpu: cpu], shared))
        #expect(without.chosen.unit == .npu && without.chosen.mode == .withCpu && without.chosen.proof == .requested)
        #expect(without.chosen.notes == ["with the CPU", "alone refused: status 504 for NPU"])
        #expect(without.trials.map(\.unit) == [.npu, .gpu, .cpu])
    }

    @Test func aGpuThatIsTooCoarseInFloat16IsUsedInFloat32() throws {
        for coarse: [Float] in [[0, 0], [.infinity, .infinity]] {
            let half = Behaviour(steady: milliseconds / 4, answer: { _ in coarse })
            let full = Behaviour(steady: milliseconds / 2)
            let opener = FakeOpener([.gpu: half, .cpu: Behaviour()], [Asked(.gpu, .float32): full])
            let chosen = try select(opener).chosen
            #expect(chosen.unit == .gpu && chosen.mode == .float32 && chosen.proof == .certain)
            #expect(chosen.notes.first == "in float32" && chosen.notes.last?.contains("in float16: ") == true)
            #expect(chosen.times?.steady == 0.5)
            #expect(opener.record.mostInMemory == 1)
        }
    }

    @Test func aGpuThatIsWrongInFloat32TooOrRefusesTheFileIsRefusedOnce() throws {
        let wrong = Behaviour(answer: { _ in [0, 0] })
        let both = FakeOpener([.gpu: wrong, .cpu: Behaviour()], [Asked(.gpu, .float32): wrong])
        let told = refusal(try select(both), .gpu)
        #expect(told.contains("in float16: ") && told.contains("; in float32: "))
        let refusing = FakeOpener([.cpu: Behaviour()], [Asked(.gpu, .float32): wrong])
        #expect(refusal(try select(refusing), .gpu) == "status 504 for GPU")
        #expect(!refusing.record.asked.contains(Asked(.gpu, .float32)))
    }

    @Test func aUnitIsSlowerThanTheCpuByATenthNotByHowTwoRunsDiffer() throws {
        func slower(_ gpu: Int) throws -> Bool {
            let units = [ComputeUnit.gpu: Behaviour(steady: gpu), .cpu: Behaviour(steady: 10 * milliseconds)]
            return try select(FakeOpener(units), request(.gpu)).chosen.slower
        }
        #expect(try !slower(10 * milliseconds))
        #expect(try !slower(11 * milliseconds))
        #expect(try slower(11 * milliseconds + 1000))
    }

    @Test func timeTellsOnALargeNetworkOnly() throws {
        func proof(_ operations: Int?, _ npu: Int) throws -> Proof? {
            let unsure = Behaviour(steady: npu, certain: false, operations: operations)
            let opener = FakeOpener([.npu: unsure, .cpu: Behaviour(steady: 10 * milliseconds)])
            return try select(opener, request(.npu)).chosen.proof
        }
        #expect(try proof(100_000_000, 5 * milliseconds) == .timing)
        #expect(try proof(100_000_000, 5 * milliseconds + 1) == .requested)
        #expect(try proof(99_999_999, milliseconds) == .requested)
        #expect(try proof(nil, milliseconds) == .requested)
    }

    @Test func anArtifactThatTheCpuCannotRunIsPlacedOnTheNpu() throws {
        let placement = try select(FakeOpener([.npu: Behaviour()]))
        #expect(placement.chosen.unit == .npu && placement.chosen.proof == .certain && !placement.chosen.slower)
        #expect(refusal(placement, .cpu) == "status 504 for CPU")
    }

    @Test func withoutAnyUnitEveryRefusalIsTold() {
        let told = sentence { _ = try select(FakeOpener([:])) }
        for unit in ["NPU", "GPU", "CPU"] { #expect(told.contains("\(unit): status 504 for \(unit)")) }
    }

    @Test func aFailureInARunIsARefusalAndTheEngineIsClosed() throws {
        struct Unforeseen: Error {}
        let opener = FakeOpener([.gpu: Behaviour(answer: { _ in throw Unforeseen() }), .cpu: Behaviour()])
        let placement = try select(opener)
        #expect(placement.chosen.unit == .cpu && refusal(placement, .gpu).contains("Unforeseen"))
        #expect(opener.record.inMemory == 1)
    }

    @Test func oneModelIsInMemoryAtATime() throws {
        let opener = FakeOpener([
            .npu: Behaviour(answer: { _ in [0, 0] }), .gpu: Behaviour(steady: 9 * milliseconds), .cpu: Behaviour(),
        ])
        _ = try select(opener)
        #expect(opener.record.opened == [.cpu, .npu, .gpu, .cpu])
        #expect(opener.record.mostInMemory == 1)
    }

    @Test func theCpuAloneIsLoadedOnce() throws {
        let opener = FakeOpener([.cpu: Behaviour()])
        _ = try select(opener, request(.cpu))
        #expect(opener.record.opened == [.cpu])
    }

    @Test func aSingleGoldenCaseJudgesNothing() {
        let one = Request(file: sums, spec: sumsSpec, cases: Array(goldenCases3.prefix(1)))
        #expect(sentence { _ = try select(FakeOpener([.cpu: Behaviour()]), one) }.contains("2 golden"))
    }

    @Test func cancellingEndsAfterAnyCallAndLeavesNothingInMemory() async {
        for last in 1...12 {
            let calls = Record()
            let counting = Behaviour(answer: { tensor in
                calls.pass(1)
                if calls.now == last { withUnsafeCurrentTask { $0?.cancel() } }
                return logits(tensor)
            })
            let opener = FakeOpener([.gpu: counting, .cpu: Behaviour()])
            let task = Task { _ = try place(request(), opener) { opener.record.now } }
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(calls.now >= last && opener.record.inMemory == 0)
        }
    }
}
