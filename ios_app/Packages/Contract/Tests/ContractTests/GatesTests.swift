import Testing

@testable import Contract

@Suite struct GatesTests {
    @Test func aPrecisionHasItsOwnGateOnTheCpu() throws {
        for (precision, gate) in gates { #expect(try gateFor(precision, .cpu) == gate) }
    }

    @Test func unitsThatComputeInHalvesAskOfFp32WhatIsAskedOfFp16() throws {
        for unit in [ComputeUnit.gpu, .npu] {
            #expect(try gateFor("fp32", unit) == gateFor("fp16", .cpu))
            for (precision, gate) in gates where precision != "fp32" { #expect(try gateFor(precision, unit) == gate) }
        }
    }

    @Test func anUnknownPrecisionIsRefusedWithThoseThatAreKnown() {
        let sentence = SamesightError(
            "precision 'int4' has no gate here "
                + "(known: fp32, fp16, int8, dynamic-int8, int8-weights, palette6, palette4, w8a16, int4-weights, mixed); "
                + "update samesight")
        #expect(throws: sentence) { try gateFor("int4", .cpu) }
    }
}
