import Contract
import Testing

@testable import Engines

struct JudgementTests {
    private let artifacts = [artifact("a"), artifact("b")]

    private func run(
        _ unit: ComputeUnit, _ decibels: Double? = nil, _ tensors: ([UInt8]) -> [UInt8] = { $0 }
    ) -> UnitRun {
        UnitRun(
            artifact: "a", unit: unit, snrDb: [.logits: decibels],
            cases: goldenCases3.map {
                CaseRun(id: $0.id, image: "rgb", tensorSha256: sha256(tensors($0.tensor)), answers: [])
            })
    }

    private func refused(_ unit: ComputeUnit, _ artifact: String = "a") -> UnitRun {
        UnitRun(artifact: artifact, unit: unit, refusal: "no \(unit.name) here")
    }

    private func missed(_ unit: ComputeUnit, _ has: String, _ gate: String) -> String {
        "a on the \(unit.name): output logits has \(has) dB against the server model, its gate is \(gate) dB"
    }

    private func failures(_ runs: [UnitRun]) throws -> [String] { try judge(runs, goldenCases3, artifacts).failures }

    @Test func aUnitThatRefusesIsNoFailureWhereAnotherRunsIt() throws {
        #expect(try failures([run(.cpu), refused(.gpu)]) == [])
    }

    @Test func anArtifactThatNoUnitRunsIsAFailureAndNamedAlsoWhereNothingElseRan() throws {
        #expect(try failures([refused(.cpu), refused(.gpu)]) == ["a: no unit runs it; no CPU here"])
        #expect(try failures([run(.cpu), refused(.gpu, "b")]) == ["b: no unit runs it; no GPU here"])
    }

    @Test func aRunThatDiffersIsNamed() throws {
        let other = run(.gpu) { tensor in [tensor[0] &+ 1] + tensor.dropFirst() }
        let judgement = try judge([run(.cpu), other], goldenCases3, artifacts)
        let told = "a on the GPU: the input tensor of case 000 (rgb) and of 2 more is not the golden one"
        #expect(judgement == Judgement(passed: [true, false], failures: [told]))
        let empty = UnitRun(artifact: "a", unit: .cpu, snrDb: [.logits: nil])
        #expect(try failures([empty]) == ["a on the CPU: no case was compared"])
    }

    @Test func everyTensorAndOutputThatDiffersIsInTheSentence() throws {
        var wrong = run(.gpu)
        wrong.snrDb = [.logits: 31.98, .boxes: nil, .objectness: 12]
        wrong.cases = [CaseRun(id: "000", image: "nv21", tensorSha256: sha256([1]), answers: [])]
        let told =
            "a on the GPU: the input tensor of case 000 (nv21) is not the golden one; "
            + "output logits has 31.9 dB against the server model, its gate is 40 dB; "
            + "output objectness has 12 dB against the server model, its gate is 40 dB"
        #expect(try failures([run(.cpu), wrong]) == [told])
    }

    @Test func noiseOverAllCasesIsADifferenceHoweverTheFirstCasesWere() throws {
        #expect(try failures([run(.cpu, 80.1)]) == [])
        #expect(try failures([run(.cpu, 79.99)]) == [missed(.cpu, "79.9", "80")])
        #expect(try failures([run(.cpu, -200)]) == [missed(.cpu, "-200", "80")])
        #expect(try failures([run(.gpu, 40.1)]) == [])
        #expect(try failures([run(.gpu, 39.9)]) == [missed(.gpu, "39.9", "40")])
    }

    @Test func everyPrecisionIsHeldToItsOwnGateWhichCanBeMissed() throws {
        for (precision, _) in gates {
            let own = [artifact("a", precision: precision)]
            for unit in ComputeUnit.allCases {
                let gate = try gateFor(precision, unit).snrDb
                #expect(try judge([run(unit, gate)], goldenCases3, own).failures == [])
                #expect(try judge([run(unit, gate - 1e-9)], goldenCases3, own).failures.count == 1)
            }
        }
    }

    @Test func aPrecisionWithoutAGateIsNotJudgedButMayBeRefused() throws {
        let own = [artifact("a", precision: "int4")]
        let told = sentence { _ = try judge([run(.cpu)], goldenCases3, own) }
        #expect(told.contains("precision 'int4' has no gate here"))
        #expect(
            try judge([refused(.cpu)], goldenCases3, own).failures == ["a: no unit runs it; no CPU here"])
    }

    @Test func nothingThatRanProvesNothing() throws {
        #expect(try failures([]) == ["no artifact of this bundle runs in this app"])
    }
}
