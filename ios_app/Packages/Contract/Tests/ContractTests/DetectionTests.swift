import Testing

@testable import Contract

@Suite struct DetectionTests {
    @Test func expHasTheBitsOfTheContract() {
        let expected = [
            (-0.001, "3feff7cfe56f1a9e"), (-0.5, "3fe368b2fc6f960a"), (-1.0, "3fd78b56362cef38"),
            (-10.0, "3f07cd79b5647c9a"), (-100.0, "36ea8c1f14e2af5d"), (-699.5, "00dc89c2e339b392"),
        ]
        for (x, bits) in expected { #expect(hexadecimal(exp(x).bitPattern, digits: 16) == bits) }
        #expect(exp(-700.5) == 0)
        #expect(exp(0) == 1)
    }

    @Test func scoresAreBetweenZeroAndOneAndOfSoftmaxSumToOne() {
        var generator = Generator(1)
        for _ in 0..<500 {
            let count = 1 + generator.below(20)
            let logits = (0..<count).map { _ in Float(generator.below(20_001) - 10_000) / 100 }
            let scores = logits.withUnsafeBufferPointer { row in row.indices.map { softmax(row, $0) } }
            #expect(abs(scores.reduce(0) { $0 + Double($1) } - 1) < 1e-5)
            for logit in logits { #expect(abs(sigmoid(logit) + sigmoid(-logit) - 1) < 1e-6) }
        }
    }

    @Test func classesAreRankedByLogitEqualOnesByIndex() {
        var generator = Generator(2)
        for _ in 0..<500 {
            let count = 1 + generator.below(12)
            let logits = (0..<count).map { Float(generator.below(7) - 3) * ($0 % 2 == 0 ? 1 : -1) }
            let expected = logits.indices.sorted { logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1] }
            for top in 1...13 { #expect(rank(logits, top) == Array(expected.prefix(top))) }
        }
    }

    @Test func keysSortAsValuesGreatestFirstEqualOnesByPosition() {
        var generator = Generator(3)
        for _ in 0..<300 {
            var values = (0..<1 + generator.below(60)).map { _ in
                Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
            }
            for i in values.indices where values[i].isNaN || generator.below(4) == 0 { values[i] = i % 2 == 0 ? 0 : -0 }
            let rest = (0..<5).map { Int64($0) }
            var keys = values.enumerated().map { sortKey($1, $0) } + rest
            keys.withUnsafeMutableBufferPointer {
                if let start = $0.baseAddress { sort(start, values.count) }
            }
            let expected = values.indices.sorted { values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1] }
            #expect(keys.prefix(values.count).map { Int($0 & 0xffff_ffff) } == expected)
            #expect(Array(keys.suffix(5)) == rest)
        }
    }

    @Test func whatStaysDoesNotOverlapAndWhatGoesOverlapsSomethingBetter() {
        var generator = Generator(4)
        for _ in 0..<200 {
            let boxes = (0..<1 + generator.below(80)).map { _ in
                let (x, y) = (Float(generator.below(40)), Float(generator.below(40)))
                let box = Box(x1: x, y1: y, x2: x + Float(generator.below(30)), y2: y + Float(generator.below(30)))
                return Candidate(box: box, area: box.area, index: Int32(generator.below(3)))
            }
            let kept = Buffer<Int32>(repeating: 0, count: boxes.count)
            var copy = boxes
            let size = copy.withUnsafeMutableBufferPointer { buffer in
                buffer.baseAddress.map { suppress($0, boxes.count, 0.4, kept) } ?? 0
            }
            let stays = (0..<size).map { Int(kept.start[$0]) }
            func hides(_ a: Int, _ b: Int) -> Bool {
                a < b && boxes[a].index == boxes[b].index && iou(boxes[a], boxes[b]) > 0.4
            }
            for index in boxes.indices {
                #expect(stays.contains(index) == !stays.contains { hides($0, index) })
            }
        }
    }

    @Test func boxesThatAreNotFiniteAreRefusedOnlyWhereSomethingIsFound() throws {
        let spec = try makeDetector(.sigmoid)
        let positions = try positionCount(BoxCoding(.distances, strides: [4]), spec.input)
        var logits = [Float](repeating: -9, count: 2 * positions)
        var boxes = [Float](repeating: 1, count: 4 * positions)
        boxes[4 * 3] = .nan
        logits[2 * 5] = 9
        let presence = [Float](repeating: 9, count: positions)
        func outputs() -> [Role: Tensor] {
            [
                .logits: Tensor([1, positions, 2], logits), .boxes: Tensor([1, positions, 4], boxes),
                .objectness: Tensor([1, positions, 1], presence),
            ]
        }
        let geometry = geometry(64, 64, .upright, spec.input)
        #expect(try answers(outputs(), spec, geometry).map(\.index) == [0])
        logits[2 * 3] = 9
        let box = refusal { _ = try answers(outputs(), spec, geometry) }
        #expect(box.hasPrefix("the box at position 3 is not finite"))
        logits[0] = .infinity
        let logit = refusal { _ = try answers(outputs(), spec, geometry) }
        #expect(logit.contains("output 'logits' holds values that are not finite"))
        var some = outputs()
        some[.boxes] = nil
        #expect(throws: SamesightError.self) { try answers(some, spec, geometry) }
        logits[0] = 0
        #expect(refusal { _ = try answers(outputs(), spec) }.contains("boxes need the geometry"))
    }
}
