/// A stream of 64-bit numbers from a seed; equal seeds give equal streams in every language (SplitMix64).
///
/// Guy L. Steele, Doug Lea, Christine H. Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014. Makes
/// test images; not for secrets.
public struct Generator: Sendable {
    private var state: UInt64

    public init(_ seed: UInt64) {
        state = seed
    }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        let a = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        let b = (a ^ a >> 27) &* 0x94d0_49bb_1331_11eb
        return b ^ b >> 31
    }

    /// A number 0 <= n < bound, for 1 <= bound <= 2^31: the upper 32 bits of ``next()`` scaled down.
    public mutating func below(_ bound: Int) -> Int { Int(((next() >> 32) &* UInt64(bound)) >> 32) }

    /// `count` bytes: those of successive ``next()`` values, the least significant first; what is left is lost.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var at = 0
        while at < count {
            var value = next()
            let stop = min(at + 8, count)
            while at < stop {
                result[at] = UInt8(truncatingIfNeeded: value)
                value >>= 8
                at += 1
            }
        }
        return result
    }
}

/// A side length 1...`largest`, each octave equally likely: small, odd and large sizes all come up.
public func randomSide(_ generator: inout Generator, _ largest: Int) -> Int {
    let octave = generator.below(Int.bitWidth - largest.leadingZeroBitCount)
    return min(1 << octave + generator.below(1 << octave), largest)
}

/// A test image, RGB bytes [height, width, 3]: smooth gradients, rectangles with hard edges, noise over all.
public func randomImage(_ generator: inout Generator, _ width: Int, _ height: Int) -> [UInt8] {
    var image = gradients(&generator, width, height)
    for _ in 0..<1 + generator.below(6) { rectangle(&generator, &image, width, height) }
    let amplitude = Int32(generator.below(64))
    let noise = generator.bytes(image.count)
    for i in image.indices {
        let moved = (Int32(noise[i]) * (2 * amplitude + 1)) >> 8 - amplitude
        image[i] = UInt8(clamp(Int32(image[i]) + moved))
    }
    return image
}

private func gradients(_ generator: inout Generator, _ width: Int, _ height: Int) -> [UInt8] {
    var image = [UInt8](repeating: 0, count: width * height * 3)
    for channel in 0..<3 {
        let (left, right) = (generator.below(256), generator.below(256))
        let (top, bottom) = (generator.below(256), generator.below(256))
        let across = (0..<width).map { (left * (width - $0) + right * $0) / width }
        for y in 0..<height {
            let down = (top * (height - y) + bottom * y) / height
            for x in 0..<width { image[3 * (y * width + x) + channel] = UInt8((across[x] + down) >> 1) }
        }
    }
    return image
}

private func rectangle(_ generator: inout Generator, _ image: inout [UInt8], _ width: Int, _ height: Int) {
    let (left, top) = (generator.below(width), generator.below(height))
    let (across, down) = (1 + generator.below(width - left), 1 + generator.below(height - top))
    let colour = (0..<3).map { _ in UInt8(generator.below(256)) }
    for y in top..<top + down {
        for x in left..<left + across {
            for channel in 0..<3 { image[3 * (y * width + x) + channel] = colour[channel] }
        }
    }
}
