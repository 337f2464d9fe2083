import Contract
import Foundation
import Testing

@testable import Engines

struct SignalToNoiseTests {
    private let expected = goldenCases3.compactMap { $0.outputs[.logits] }

    /// Outputs with about this ratio: the noise of each case is a share of its signal.
    private func outputs(_ ratio: Double) -> [[Role: Tensor]] {
        let means = [0, 1].map { side in expected.map { $0.values[side] }.reduce(0, +) / Float(expected.count) }
        let share = Float(sqrt(pow(10, -ratio / 10)))
        return expected.map { tensor in
            let values = [0, 1].map { tensor.values[$0] + (tensor.values[$0] - means[$0]) * share }
            return [.logits: Tensor(tensor.shape, values)]
        }
    }

    @Test func theOutputsOfTheseTestsHaveTheRatioThatIsAskedFor() {
        for ratio in [10.0, 40, 80] {
            #expect(abs(decibels(expected, outputs(ratio).compactMap { $0[.logits] }) - ratio) < 0.1)
        }
    }

    @Test func everyPrecisionIsHeldToItsOwnGateOnEveryUnit() throws {
        for (precision, _) in gates {
            for unit in ComputeUnit.allCases {
                let gate = try gateFor(precision, unit).snrDb
                try checkSignalToNoise(goldenCases3, outputs(gate + 0.2), sumsSpec, precision, unit)
                let told = sentence {
                    try checkSignalToNoise(goldenCases3, outputs(gate - 0.2), sumsSpec, precision, unit)
                }
                #expect(told.contains("\(unit.name): output 'logits' is \(fixed(gate - 0.2, 1)) dB from the server"))
                #expect(told.contains("at least \(fixed(gate, 0)) are asked for"))
            }
        }
    }

    @Test func aConstantOutputIsBelowEveryGate() {
        let constant = goldenCases3.map { _ in goldenCases3[0].outputs }
        for (precision, _) in gates {
            #expect(throws: SamesightError.self) {
                try checkSignalToNoise(goldenCases3, constant, sumsSpec, precision, .cpu)
            }
        }
    }

    @Test func aPrecisionWithoutAGateIsRefusedHoweverGoodItsOutputsAre() {
        let exact = goldenCases3.map(\.outputs)
        let told = sentence { try checkSignalToNoise(goldenCases3, exact, sumsSpec, "int4", .gpu) }
        #expect(told.contains("precision 'int4' has no gate here"))
    }
}
