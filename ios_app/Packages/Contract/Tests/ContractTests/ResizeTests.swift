import Testing

@testable import Contract

/// `docs/contract.md`, "Resize", on one line of one channel, written down as plainly as it can be.
private func lineByTheText(_ line: [Int], _ scaled: Int, _ filter: Filter) -> [Int] {
    (0..<scaled).map { i in
        let scale = Double(line.count) / Double(scaled)
        let fscale = scale > 1 ? scale : 1
        let support = (filter == .bilinear ? 1.0 : 2.0) * fscale
        let centre = (Double(i) + 0.5) * scale
        let start = max(Int(centre - support + 0.5), 0)
        let stop = min(Int(centre + support + 0.5), line.count)
        let weights = (start..<stop).map { kernelByTheText((Double($0) - centre + 0.5) * (1 / fscale), filter) }
        let total = weights.reduce(0, +)
        var output = 2_097_152
        for (t, weight) in weights.enumerated() {
            let share = (total != 0 ? weight / total : weight) * 4_194_304
            output += line[start + t] * Int(share >= 0 ? share + 0.5 : share - 0.5)
        }
        return min(max(output >> 22, 0), 255)
    }
}

private func kernelByTheText(_ position: Double, _ filter: Filter) -> Double {
    let x = abs(position)
    if filter == .bilinear { return x < 1 ? 1 - x : 0 }
    if x < 1 { return ((1.5 * x - 2.5) * x) * x + 1 }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
}

struct Plain {
    var pixels: [UInt8]
    let width: Int
    let height: Int
}

/// Both passes over RGB bytes, first across, then down, with whole images between them.
func resizeByTheText(_ image: Plain, _ width: Int, _ height: Int, _ filter: Filter) -> Plain {
    var narrow = Plain(pixels: Array(repeating: 0, count: 3 * width * image.height), width: width, height: image.height)
    var result = Plain(pixels: Array(repeating: 0, count: 3 * width * height), width: width, height: height)
    for c in 0..<3 {
        for y in 0..<image.height {
            let line = (0..<image.width).map { Int(image.pixels[3 * (y * image.width + $0) + c]) }
            for (x, v) in lineByTheText(line, width, filter).enumerated() {
                narrow.pixels[3 * (y * width + x) + c] = UInt8(v)
            }
        }
        for x in 0..<width {
            let line = (0..<image.height).map { Int(narrow.pixels[3 * ($0 * width + x) + c]) }
            for (y, v) in lineByTheText(line, height, filter).enumerated() {
                result.pixels[3 * (y * width + x) + c] = UInt8(v)
            }
        }
    }
    return result
}

@Suite struct ResizeTests {
    @Test func weightsSumToOneWithinTheirRoundingAndNeverRunBackwards() {
        var generator = Generator(1)
        for _ in 0..<300 {
            let size = randomSide(&generator, 5000)
            let scaled = randomSide(&generator, 500)
            let weights = weights(size, scaled, 0, scaled, generator.one())
            for i in 0..<scaled {
                let taps = weights.stops[i] - weights.starts[i]
                let sum = weights.taps[i * weights.stride..<i * weights.stride + taps].reduce(0, +)
                #expect(abs(Int(sum) - 4_194_304) <= taps, "\(size) to \(scaled) at \(i): \(sum)")
                #expect((0..<weights.stops[i]).contains(weights.starts[i]) && weights.stops[i] <= size)
                if i == 0 { continue }
                #expect(weights.starts[i] >= weights.starts[i - 1] && weights.stops[i] >= weights.stops[i - 1])
            }
        }
    }

    @Test func aPartOfTheWeightsIsThatPartOfAll() {
        let all = weights(640, 213, 0, 213, .bicubic)
        let some = weights(640, 213, 50, 60, .bicubic)
        for i in 0..<10 {
            #expect(all.starts[50 + i] == some.starts[i])
            for t in 0..<some.stops[i] - some.starts[i] {
                #expect(all.taps[(50 + i) * all.stride + t] == some.taps[i * some.stride + t])
            }
        }
    }

    @Test func anUnchangedSizeCopies() {
        for filter in Filter.allCases {
            let line = (0..<50).map { $0 * 5 }
            #expect(lineByTheText(line, 50, filter) == line)
            let weights = weights(50, 50, 0, 50, filter)
            for i in 0..<50 {
                for t in 0..<weights.stops[i] - weights.starts[i] {
                    let expected: Int32 = weights.starts[i] + t == i ? 4_194_304 : 0
                    #expect(weights.taps[i * weights.stride + t] == expected)
                }
            }
        }
    }

    @Test func levelsAreLimitedToAByte() {
        for value: Int32 in -5000...5000 { #expect(clamp(value) == min(max(value, 0), 255)) }
        for shift: Int32 in 0...22 {
            for value: Int32 in [1 << shift, -(1 << shift)] { #expect(clamp(value) == min(max(value, 0), 255)) }
        }
    }

    @Test func numbersAreWrittenAsPythonWritesThem() {
        #expect([1.0, 1e7, 1e-3, -2.5, 0.1].map(decimal) == ["1.0", "10000000.0", "0.001", "-2.5", "0.1"])
        #expect(
            [0, 7, 999, 1000, 67_108_864, -1234].map(grouped) == ["0", "7", "999", "1,000", "67,108,864", "-1,234"])
    }
}
