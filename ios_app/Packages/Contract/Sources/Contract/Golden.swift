public let casesFile = "golden/cases.json"
private let rgbHeader = 8

/// Camera bytes that contract arithmetic turns into exactly the case's RGB image (tight rows).
public struct Yuv: Sendable {
    public let layout: YuvLayout
    public let matrix: YuvMatrix
    public let range: YuvRange
    public let data: [UInt8]
}

/// One image and what the server model makes of it.
public struct GoldenCase: Sendable {
    /// Three digits.
    public let id: String
    /// The image as stored, and how it is turned upright.
    public let picture: Picture
    /// The same image as camera bytes, for some cases.
    public let yuv: Yuv?
    /// uint8 [height, width, channels], the network's input before packing.
    public let tensor: [UInt8]
    /// Of `tensor`.
    public let shape: [Int]
    /// Per role the server model's raw output, with the batch of 1.
    public let outputs: [Role: Tensor]
    /// The server model's answers; boxes in pixels of the stored image.
    public let answers: [Answer]
}

/// Reads all cases of a bundle whose files were checked against its manifest.
///
/// - Throws: ``SamesightError`` cases.json contradicts itself or the files it names.
func readCases(_ bundle: String) throws -> [GoldenCase] {
    let cases = try readDocument("_Cases", "\(bundle)/\(casesFile)") {
        try $0.required("cases") { try $0.list(most: goldenCases) { try $0.fields("_Case", caseFields) } }
    }
    return try cases.map { try readCase(bundle, $0) }
}

private struct CaseFields {
    let id: String
    let image: String
    let width: Int
    let height: Int
    let orientation: Orientation
    let yuv: YuvFields?
    let input: ArrayFields
    let outputs: [(Role, ArrayFields)]
    let answers: [Answer]
}

private struct ArrayFields {
    let path: String
    let shape: [Int]
}

private struct YuvFields {
    let path: String
    let layout: YuvLayout
    let matrix: YuvMatrix
    let range: YuvRange
}

private func caseFields(_ fields: Fields) throws -> CaseFields {
    let id = try fields.required("id", text)
    _ = try fields.required("picture", bundlePath)
    return try CaseFields(
        id: id,
        image: fields.required("image", bundlePath),
        width: fields.required("width") { try $0.int(1) },
        height: fields.required("height") { try $0.int(1) },
        orientation: Orientation(
            quarterTurns: fields.required("quarter_turns") { try $0.int(0, 3) },
            mirrored: fields.required("mirrored") { try $0.flag() }),
        yuv: fields.nullable("yuv") { try $0.fields("_Yuv", yuvFields) },
        input: fields.required("input") { try $0.fields("_Array", arrayFields) },
        outputs: fields.required("outputs") { try byRole($0) { try $0.fields("_Array", arrayFields) } },
        answers: fields.required("answers") { try $0.list { try $0.fields("StoredAnswer", answerFields) } })
}

private func arrayFields(_ fields: Fields) throws -> ArrayFields {
    try ArrayFields(
        path: fields.required("path", bundlePath),
        shape: fields.required("shape") { try $0.list(most: 8) { try $0.int(1) } })
}

private func yuvFields(_ fields: Fields) throws -> YuvFields {
    try YuvFields(
        path: fields.required("path", bundlePath),
        layout: fields.required("layout") { try $0.choice() },
        matrix: fields.required("matrix") { try $0.choice() },
        range: fields.required("range") { try $0.choice() })
}

private func answerFields(_ fields: Fields) throws -> Answer {
    let box: [Float]?
    let label = try fields.required("label", text)
    let index = try fields.required("index") { try $0.int() }
    let score = try fields.required("score") { Float(try $0.number()) }
    box = try fields.nullable("box") { try $0.tuple(4) { Float(try $0.number()) } }
    return Answer(
        label: label, index: index, score: score, box: box.map { Box(x1: $0[0], y1: $0[1], x2: $0[2], y2: $0[3]) })
}

private func readCase(_ bundle: String, _ fields: CaseFields) throws -> GoldenCase {
    var outputs: [Role: Tensor] = [:]
    let picture = try Picture(readPixels(bundle, fields), fields.width, fields.height, fields.orientation)
    let yuv = try fields.yuv.map {
        Yuv(layout: $0.layout, matrix: $0.matrix, range: $0.range, data: try readYuv(bundle, $0, fields))
    }
    let tensor = try readBytes(bundle, fields.input)
    for (role, array) in fields.outputs { outputs[role] = try readFloats(bundle, array) }
    return GoldenCase(
        id: fields.id, picture: picture, yuv: yuv, tensor: tensor, shape: fields.input.shape, outputs: outputs,
        answers: fields.answers)
}

private func readPixels(_ bundle: String, _ fields: CaseFields) throws -> [UInt8] {
    let file = "\(bundle)/\(fields.image)"
    return try opened(file) { reader in
        let header = reader.length < rgbHeader ? [] : try reader.bytes(0, count: rgbHeader)
        if header.isEmpty || int32(header, 0) != fields.width || int32(header, 4) != fields.height {
            throw SamesightError("\(file): its size is not that of \(casesFile); make the bundle anew")
        }
        return try readValues(file, reader, 1, [fields.height, fields.width, 3], before: rgbHeader)
    }
}

private func int32(_ bytes: [UInt8], _ at: Int) -> Int {
    bytes.withUnsafeBytes { Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt32.self))) }
}

private func readYuv(_ bundle: String, _ yuv: YuvFields, _ fields: CaseFields) throws -> [UInt8] {
    let samples = fields.width * fields.height + 2 * chromaSize(fields.width) * chromaSize(fields.height)
    let file = "\(bundle)/\(yuv.path)"
    return try opened(file) { try readValues(file, $0, 1, samples, "(\(samples),)") }
}

private func readBytes(_ bundle: String, _ array: ArrayFields) throws -> [UInt8] {
    let file = "\(bundle)/\(array.path)"
    return try opened(file) { try readValues(file, $0, 1, array.shape) }
}

private func readFloats(_ bundle: String, _ array: ArrayFields) throws -> Tensor {
    let file = "\(bundle)/\(array.path)"
    let data = try opened(file) { try readValues(file, $0, 4, array.shape) }
    let values = data.withUnsafeBytes { bytes in
        (0..<data.count / 4).map {
            Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
        }
    }
    return Tensor(array.shape, values)
}

private func opened<T>(_ file: String, _ read: (FileReader) throws -> T) throws -> T {
    do {
        return try read(FileReader(checkPlain(file)))
    } catch let problem as FileProblem {
        throw SamesightError("\(file): \(problem.reason), but \(casesFile) names it; make the bundle anew")
    }
}

/// As below, of an array of this shape.
private func readValues(
    _ file: String, _ reader: FileReader, _ item: Int, _ shape: [Int], before: Int = 0
) throws -> [UInt8] {
    // No product passes the end of 64 bits: beyond the limit it does not matter by how much.
    let count = shape.reduce(1) { $0 > goldenFileBytes ? $0 : $0 * $1 }
    let sides = shape.map(String.init).joined(separator: ", ")
    return try readValues(file, reader, item, count, shape.count == 1 ? "(\(sides),)" : "(\(sides))", before: before)
}

/// The rest of a file after `before` bytes: `count` values; of a file of another length nothing is read.
private func readValues(
    _ file: String, _ reader: FileReader, _ item: Int, _ count: Int, _ shape: String, before: Int = 0
) throws -> [UInt8] {
    let present = reader.length - before
    if count > goldenFileBytes || count * item != present || present + before > goldenFileBytes {
        throw SamesightError("\(file): has \(present / item) values, \(casesFile) says \(shape); make the bundle anew")
    }
    return try reader.bytes(before, count: present)
}
