import Contract

// What Foundation lacks on Linux and the contract has itself, for comparison with Python's libraries.

/// The value of a text of JSON as this contract writes it, in one line; or `refused`.
func jsonParity(_ one: Case) -> String {
    guard let value = try? readJson(digits(one.text("hex"))) else { return "refused" }
    return value.written().split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: " ")
}

/// The hash of what a file of packed bytes unpacks to; or why it does not.
func deflateParity(_ one: Case) throws -> String {
    let file = try FileReader(one.text("file"))
    var content: [UInt8] = []
    do {
        try inflate(PackedPieces(file, 0, file.length)) { content.append(contentsOf: $0) }
    } catch let problem as FileProblem {
        return problem.reason
    }
    return sha256(content)
}

/// Whether a signature holds.
func ecdsaParity(_ one: Case) -> String {
    let (point, signature) = (digits(one.text("point")), digits(one.text("signature")))
    return "\(holds(point: point, signature: signature, message: digits(one.text("message"))))"
}

/// The bytes of pairs of hexadecimal digits.
func digits(_ text: String) -> [UInt8] {
    let digits = text.utf8.map { UInt8(Character(Unicode.Scalar($0)).hexDigitValue ?? 0) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
