// Unpacks "deflate" (RFC 1951), piece by piece. Foundation has no reader of it that runs on every system; this one
// refuses what zlib refuses.

private let windowBytes = 1 << 15
private let longestCode = 15

/// Gives what was packed to `take`, piece by piece; what follows the end of the packed stream is left alone.
///
/// - Throws: ``FileProblem`` damaged or cut off; and what `take` throws.
package func inflate(_ packed: PackedPieces, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
    let bits = Bits(packed)
    let window = Buffer<UInt8>(repeating: 0, count: 2 * windowBytes)
    var output = Output(window: window)
    var isLast = false
    while !isLast {
        isLast = try bits.take(1) == 1
        switch try bits.take(2) {
        case 0: try stored(bits, &output, take)
        case 1: try coded(bits, fixedLengths, fixedDistances, &output, take)
        case 2:
            let (lengths, distances) = try codes(bits)
            try coded(bits, lengths, distances, &output, take)
        default: throw damaged()
        }
    }
    try output.flush(take)
}

private func damaged() -> FileProblem { FileProblem(reason: "its packed content is damaged") }

/// The bits of packed bytes, the least significant of a byte first.
private final class Bits {
    private let packed: PackedPieces
    private var piece = UnsafeRawBufferPointer(start: nil, count: 0)
    private var at = 0
    private var buffer: UInt32 = 0
    private var count = 0

    init(_ packed: PackedPieces) {
        self.packed = packed
    }

    func take(_ wanted: Int) throws -> Int {
        while count < wanted {
            buffer |= UInt32(try byte()) << UInt32(count)
            count += 8
        }
        let value = buffer & ((1 << UInt32(wanted)) - 1)
        buffer >>= UInt32(wanted)
        count -= wanted
        return Int(value)
    }

    /// Drops what is left of a byte.
    func align() {
        buffer = 0
        count = 0
    }

    func byte() throws -> UInt8 {
        while at == piece.count {
            guard let next = try packed.next() else { throw FileProblem(reason: "its packed content is cut off") }
            piece = next
            at = 0
        }
        at += 1
        return piece[at - 1]
    }

    /// A symbol of a code: bit by bit, as codes of each length follow each other (Mark Adler's puff.c, zlib).
    func symbol(_ code: Code) throws -> Int {
        var value = 0
        var first = 0
        var index = 0
        for length in 1...longestCode {
            value |= try take(1)
            let count = code.counts[length]
            if value - count < first { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        throw damaged()
    }
}

/// How many codes there are of each length, and their symbols in order.
private struct Code {
    var counts = [Int](repeating: 0, count: longestCode + 1)
    var symbols: [Int] = []

    /// - Throws: more codes than their lengths leave room for, or fewer, other than a single one where that `isEnough`.
    init(_ lengths: some Collection<Int>, isEnough: Bool) throws {
        for length in lengths { counts[length] += 1 }
        var left = 1
        for length in 1...longestCode {
            left = left << 1 - counts[length]
            if left < 0 { throw damaged() }
        }
        let used = lengths.count - counts[0]
        if left > 0 && !(isEnough && (used == 0 || used == 1 && counts[1] == 1)) { throw damaged() }
        for length in 1...longestCode {
            symbols += lengths.enumerated().filter { $0.element == length }.map(\.offset)
        }
    }
}

private let fixedLengths = fixed(
    [Int](repeating: 8, count: 144) + [Int](repeating: 9, count: 112) + [Int](repeating: 7, count: 24)
        + [Int](repeating: 8, count: 8))
private let fixedDistances = fixed([Int](repeating: 5, count: 32))

private func fixed(_ lengths: [Int]) -> Code {
    guard let code = try? Code(lengths, isEnough: false) else { fatalError("the fixed codes are complete") }
    return code
}

/// In this order lengths of the codes of lengths are written.
private let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

private func codes(_ bits: Bits) throws -> (Code, Code) {
    let lengthCount = try bits.take(5) + 257
    let distanceCount = try bits.take(5) + 1
    let orderCount = try bits.take(4) + 4
    if lengthCount > 286 || distanceCount > 30 { throw damaged() }
    var ordered = [Int](repeating: 0, count: lengthOrder.count)
    for place in lengthOrder[..<orderCount] { ordered[place] = try bits.take(3) }
    let code = try Code(ordered, isEnough: false)
    var lengths: [Int] = []
    while lengths.count < lengthCount + distanceCount {
        let symbol = try bits.symbol(code)
        if symbol < 16 {
            lengths.append(symbol)
            continue
        }
        if symbol == 16 && lengths.isEmpty { throw damaged() }
        let length = symbol == 16 ? lengths[lengths.count - 1] : 0
        let times = try symbol == 16 ? 3 + bits.take(2) : symbol == 17 ? 3 + bits.take(3) : 11 + bits.take(7)
        if lengths.count + times > lengthCount + distanceCount { throw damaged() }
        lengths += [Int](repeating: length, count: times)
    }
    // Without a code for the end there would be none.
    if lengths[256] == 0 { throw damaged() }
    return (
        try Code(lengths[..<lengthCount], isEnough: true), try Code(lengths[lengthCount...], isEnough: true)
    )
}

private func stored(_ bits: Bits, _ output: inout Output, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
    bits.align()
    let count = Int(try bits.byte()) | Int(try bits.byte()) << 8
    let complement = Int(try bits.byte()) | Int(try bits.byte()) << 8
    if count != complement ^ 0xffff { throw damaged() }
    for _ in 0..<count { try output.put(try bits.byte(), take) }
}

private let lengthBases = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]
private let lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
private let distanceBases = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
]
private let distanceBits = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]

private func coded(
    _ bits: Bits, _ lengths: Code, _ distances: Code, _ output: inout Output,
    _ take: (UnsafeRawBufferPointer) throws -> Void
) throws {
    while true {
        let symbol = try bits.symbol(lengths)
        if symbol < 256 {
            try output.put(UInt8(symbol), take)
            continue
        }
        if symbol == 256 { return }
        if symbol - 257 >= lengthBases.count { throw damaged() }
        let length = lengthBases[symbol - 257] + (try bits.take(lengthBits[symbol - 257]))
        let place = try bits.symbol(distances)
        if place >= distanceBases.count { throw damaged() }
        try output.repeated(distanceBases[place] + (try bits.take(distanceBits[place])), length, take)
    }
}

/// The last bytes that were unpacked, for repetitions; they are handed on when as many again have come.
private struct Output {
    let window: Buffer<UInt8>
    private var at = 0
    private var handedOn = 0
    private var total = 0

    init(window: Buffer<UInt8>) {
        self.window = window
    }

    mutating func put(_ byte: UInt8, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        if at == 2 * windowBytes {
            try flush(take)
            window.start.update(from: window.start + windowBytes, count: windowBytes)
            at = windowBytes
            handedOn = windowBytes
        }
        window.start[at] = byte
        at += 1
        total += 1
    }

    mutating func repeated(_ distance: Int, _ count: Int, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        if distance > min(total, windowBytes) { throw damaged() }
        for _ in 0..<count {
            // At the window's end the place of the byte moves with the window.
            let byte = window.start[at - distance]
            try put(byte, take)
        }
    }

    mutating func flush(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        if at > handedOn { try take(UnsafeRawBufferPointer(start: window.start + handedOn, count: at - handedOn)) }
        handedOn = at
    }
}
