import Contract
import Foundation

private let conv2D = 3
private let depthwiseConv2D = 4
private let fullyConnected = 9
private let transposeConv = 67

/// What a `.tflite` file's own tables say of its main graph.
struct Graph: Equatable {
    /// LiteRT's dispatch is among its operations: compiled ahead of time for an NPU, and no CPU can run that part.
    let isDispatch: Bool
    /// Multiply-accumulates of its convolutions and fully connected layers.
    let operations: Int
}

/// Reads the tables of a `.tflite` file.
///
/// - Throws: ``SamesightError`` damaged, or no such file.
func readGraph(_ file: String) throws -> Graph {
    let data: Data
    do {
        data = try Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe)
    } catch {
        throw SamesightError("\(file): cannot be read (\(error.localizedDescription)); copy the whole bundle again")
    }
    return try data.withUnsafeBytes { bytes in
        if bytes.count < 8 || !bytes[4..<8].elementsEqual("TFL3".utf8) {
            throw SamesightError("\(file): is no TFLite file; copy the whole bundle again")
        }
        do {
            return try graph(Table(bytes: bytes, at: Table.int32(bytes, 0)))
        } catch is OutOfFile {
            throw SamesightError("\(file): is damaged; copy the whole bundle again")
        }
    }
}

private struct OutOfFile: Error {}

private func graph(_ model: Table) throws -> Graph {
    let codes = try model.tables(1)
    guard let main = try model.tables(2).first else { throw OutOfFile() }
    let shapes = try main.tables(0).map { try $0.numbers(0) }
    let operators = try main.tables(3)
    func code(_ one: Table) throws -> Table {
        let index = try one.number(0)
        guard codes.indices.contains(index) else { throw OutOfFile() }
        return codes[index]
    }
    let customs = try operators.map { try code($0).text(1) }
    var sum = 0
    for one in operators { sum = try checked(sum.addingReportingOverflow(operations(one, code(one), shapes))) }
    return Graph(isDispatch: customs.contains("DISPATCH_OP"), operations: sum)
}

private func operations(_ operation: Table, _ code: Table, _ shapes: [[Int]]) throws -> Int {
    // Files from before 2020 have the code in the first field only.
    let kind = max(try code.number(3), try code.byte(0))
    let inputs = try operation.numbers(1)
    func shape(_ tensors: [Int], _ place: Int) throws -> [Int] {
        guard tensors.indices.contains(place), shapes.indices.contains(tensors[place]) else { throw OutOfFile() }
        return shapes[tensors[place]]
    }
    let weighed: [Int]
    switch kind {
    case conv2D, depthwiseConv2D, fullyConnected: weighed = try shape(operation.numbers(2), 0)
    case transposeConv: weighed = try shape(inputs, 2)
    default: return 0
    }
    // Every weight is used once per position; the last side counts channels.
    let positions = try product(weighed) / max(1, weighed.last ?? 1)
    return try checked(positions.multipliedReportingOverflow(by: product(shape(inputs, 1))))
}

private func product(_ shape: [Int]) throws -> Int {
    try shape.reduce(1) { try checked($0.multipliedReportingOverflow(by: $1)) }
}

/// Sides that no network has are a damaged file's.
private func checked(_ result: (partialValue: Int, overflow: Bool)) throws -> Int {
    if result.overflow { throw OutOfFile() }
    return result.partialValue
}

/// A FlatBuffers table, of little-endian numbers: `at` points to it.
private struct Table {
    let bytes: UnsafeRawBufferPointer
    let at: Int

    static func int32(_ bytes: UnsafeRawBufferPointer, _ at: Int) throws -> Int {
        guard at >= 0, at <= bytes.count - 4 else { throw OutOfFile() }
        return Int(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)))
    }

    private func int32(_ at: Int) throws -> Int { try Table.int32(bytes, at) }

    private func int16(_ at: Int) throws -> Int {
        guard at >= 0, at <= bytes.count - 2 else { throw OutOfFile() }
        return Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
    }

    /// Where a field is; 0: it is not there.
    private func field(_ index: Int) throws -> Int {
        let offsets = at - (try int32(at))
        let place = 4 + 2 * index
        if place >= (try int16(offsets)) { return 0 }
        let offset = try int16(offsets + place)
        return offset == 0 ? 0 : at + offset
    }

    func byte(_ index: Int) throws -> Int {
        let field = try field(index)
        if field == 0 { return 0 }
        guard bytes.indices.contains(field) else { throw OutOfFile() }
        return Int(bytes[field])
    }

    func number(_ index: Int) throws -> Int {
        let field = try field(index)
        return field == 0 ? 0 : try int32(field)
    }

    func text(_ index: Int) throws -> String? {
        guard let (start, count) = try vector(index, 1) else { return nil }
        return String(decoding: bytes[start..<start + count], as: UTF8.self)
    }

    func numbers(_ index: Int) throws -> [Int] {
        guard let (start, count) = try vector(index, 4) else { return [] }
        return try (0..<count).map { try int32(start + 4 * $0) }
    }

    func tables(_ index: Int) throws -> [Table] {
        guard let (start, count) = try vector(index, 4) else { return [] }
        return try (0..<count).map { place in
            let entry = start + 4 * place
            return Table(bytes: bytes, at: entry + (try int32(entry)))
        }
    }

    private func vector(_ index: Int, _ step: Int) throws -> (start: Int, count: Int)? {
        let field = try field(index)
        if field == 0 { return nil }
        let start = field + (try int32(field))
        let count = try int32(start)
        // Checked before anything of that length is made.
        if count < 0 || start + 4 + count * step > bytes.count { throw OutOfFile() }
        return (start + 4, count)
    }
}
