import Testing

@testable import Contract

@Suite struct RandomImagesTests {
    @Test func firstNumbersAreThoseOfTheContract() {
        var generator = Generator(2024)
        let numbers = (0..<3).map { _ in String(generator.next(), radix: 16) }
        #expect(numbers == ["9f6d8fecf88eecd5", "18e430bb1511f2d2", "4c6f7cbf58dba57f"])
    }

    @Test func derivedNumbersAreThoseOfTheContract() {
        var below = Generator(2024)
        #expect((0..<10).map { _ in below.below(10) } == [6, 0, 2, 1, 8, 5, 1, 5, 1, 4])
        var bytes = Generator(2024)
        #expect(bytes.bytes(11) == [213, 236, 142, 248, 236, 143, 109, 159, 210, 242, 17])
        var sides = Generator(2024)
        let drawn = (0..<10).map { _ in randomSide(&sides, 4000) }
        #expect(drawn == [140, 8, 794, 3, 5, 58, 1701, 3, 2742, 740])
    }

    @Test func theImageIsThatOfTheContract() {
        var generator = Generator(2024)
        let expected = "46de7ee3bb604a95a0ae21a9b499408fe55ee9f446e81d04a81276a424f60e19"
        #expect(sha256(randomImage(&generator, 37, 23)) == expected)
    }

    @Test func bytesAreThoseOfSuccessiveNumbers() {
        for count in 0...30 {
            var slow = Generator(UInt64(count))
            let numbers = (0..<(count + 7) / 8).map { _ in slow.next() }
            let expected = (0..<count).map { UInt8(truncatingIfNeeded: numbers[$0 / 8] >> UInt64(8 * ($0 % 8))) }
            var generator = Generator(UInt64(count))
            #expect(generator.bytes(count) == expected)
        }
    }

    @Test func sidesAndNumbersStayInRange() {
        var generator = Generator(1)
        for largest in 1...3000 {
            #expect((0..<largest).contains(generator.below(largest)))
            #expect((1...largest).contains(randomSide(&generator, largest)))
        }
    }
}
