// A reader of zip files (PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4): Foundation has none.

private let endMark = 0x0605_4b50
private let entryMark = 0x0201_4b50
private let localMark = 0x0403_4b50
private let endLength = 22
private let entryLength = 46
private let localLength = 30
private let longestComment = 65_535
private let longestEntry = (1 << 31) - 1
private let encryptedFlag = 1
private let pieceBytes = 1 << 16

/// One entry of a zip file's directory.
struct ZipEntry {
    let name: String
    /// Unix file mode, 0 where the writer gave none.
    let mode: Int
    let size: Int
    fileprivate let method: Int
    fileprivate let crc: UInt32
    fileprivate let packedSize: Int
    fileprivate let offset: Int

    /// Gives the content to `take`, piece by piece: an artifact may be larger than the memory that an app has.
    ///
    /// - Throws: ``FileProblem`` damaged, or longer than `size`; and what `take` throws.
    func read(_ file: FileReader, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        let local = try Bytes(file, offset, localLength)
        if local.int(0) != localMark { throw FileProblem(reason: "no entry where the directory says \(name)") }
        let packed = PackedPieces(file, offset + localLength + local.short(26) + local.short(28), packedSize)
        var count = 0
        var sum = Crc32()
        func checked(_ piece: UnsafeRawBufferPointer) throws {
            count += piece.count
            if count > size { throw damaged() }
            sum.update(piece)
            try take(piece)
        }
        switch method {
        case 0: while let piece = try packed.next() { try checked(piece) }
        case 8: try inflate(packed, checked)
        default: throw FileProblem(reason: "\(name) is packed with method \(method)")
        }
        if count != size || sum.value != crc { throw damaged() }
    }

    private func damaged() -> FileProblem { FileProblem(reason: "Bad CRC-32 for file \(quoted(name))") }
}

/// Some bytes of a file, one piece after the other.
package final class PackedPieces {
    private let file: FileReader
    private var at: Int
    private var left: Int
    private let piece = Buffer<UInt8>(repeating: 0, count: pieceBytes)

    package init(_ file: FileReader, _ at: Int, _ count: Int) {
        self.file = file
        self.at = at
        left = count
    }

    /// The next piece, which lasts until the next call; nil at the end.
    package func next() throws -> UnsafeRawBufferPointer? {
        if left == 0 { return nil }
        let room = UnsafeMutableRawBufferPointer(start: piece.start, count: min(left, pieceBytes))
        let count = try file.read(at, into: room)
        if count == 0 { throw FileProblem(reason: "File is cut off") }
        at += count
        left -= count
        return UnsafeRawBufferPointer(start: piece.start, count: count)
    }
}

/// The checksum of zip files (ISO 3309's polynomial, reflected).
struct Crc32 {
    private var state: UInt32 = .max

    var value: UInt32 { ~state }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        crcTable.withUnsafeBufferPointer { table in
            var sum = state
            for byte in bytes { sum = sum >> 8 ^ table[Int((sum ^ UInt32(byte)) & 255)] }
            state = sum
        }
    }
}

private let crcTable: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
}

/// The directory of a zip file, in its order.
///
/// - Throws: ``FileProblem`` not a zip file, damaged, of more than 2 GiB, or two entries have a name or bytes in common.
func zipEntries(_ file: FileReader) throws -> [ZipEntry] {
    let tail = min(file.length, endLength + longestComment)
    let end = try Bytes(file, file.length - tail, tail)
    guard let at = stride(from: tail - endLength, through: 0, by: -1).first(where: { end.int($0) == endMark }) else {
        throw FileProblem(reason: "File is not a zip file")
    }
    let length = end.int(at + 12)
    let start = end.int(at + 16)
    if length > zipDirectoryBytes || start + length > file.length {
        throw FileProblem(reason: "its directory is cut off")
    }
    let directory = try Bytes(file, start, length)
    var entries: [ZipEntry] = []
    var position = 0
    for _ in 0..<end.short(at + 10) {
        if position + entryLength > length || directory.int(position) != entryMark {
            throw FileProblem(reason: "its directory is damaged")
        }
        entries.append(try entry(directory, position))
        position += entryLength + [28, 30, 32].reduce(0) { $0 + directory.short(position + $1) }
    }
    try checkApart(entries, start)
    return entries
}

private func checkApart(_ entries: [ZipEntry], _ directory: Int) throws {
    var names: Set<Exact> = []
    for entry in entries where !names.insert(Exact(entry.name)).inserted {
        throw FileProblem(reason: "\(entry.name) is there twice")
    }
    let ordered = entries.sorted { $0.offset < $1.offset }
    for (place, entry) in ordered.enumerated() {
        let following = place + 1 < ordered.count ? ordered[place + 1].offset : directory
        if entry.offset + localLength + entry.packedSize > following {
            throw FileProblem(reason: "\(entry.name) shares bytes with what follows")
        }
    }
}

private func entry(_ directory: Bytes, _ at: Int) throws -> ZipEntry {
    let length = directory.short(at + 28)
    if at + entryLength + length > directory.count { throw FileProblem(reason: "its directory is damaged") }
    let packedSize = directory.int(at + 20)
    let size = directory.int(at + 24)
    if max(packedSize, size) > longestEntry { throw FileProblem(reason: "an entry of more than 2 GiB") }
    if directory.short(at + 8) & encryptedFlag != 0 { throw FileProblem(reason: "an entry is encrypted") }
    guard let name = utf8Text(directory.part(at + entryLength, length)) else {
        throw FileProblem(reason: "a name is not UTF-8")
    }
    if isUnprintable(name) { throw FileProblem(reason: "a name holds control characters") }
    return ZipEntry(
        name: name, mode: directory.short(at + 40), size: size, method: directory.short(at + 10),
        crc: UInt32(directory.int(at + 16)), packedSize: packedSize, offset: directory.int(at + 42))
}

/// A part of a file in memory, with its numbers, which are unsigned and begin with the least byte.
private struct Bytes {
    private let bytes: [UInt8]

    init(_ file: FileReader, _ offset: Int, _ count: Int) throws {
        bytes = try file.bytes(offset, count: count)
    }

    var count: Int { bytes.count }

    func short(_ at: Int) -> Int { Int(bytes[at]) | Int(bytes[at + 1]) << 8 }

    func int(_ at: Int) -> Int { short(at) | short(at + 2) << 16 }

    func part(_ at: Int, _ count: Int) -> [UInt8] { Array(bytes[at..<at + count]) }
}
