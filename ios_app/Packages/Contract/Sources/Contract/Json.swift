/// A JSON value. Numbers, truth values and null stay the words that they are in the text: how many bits a number has is
/// for its reader to say.
package indirect enum Json: Sendable {
    case object(JsonObject)
    case array([Json])
    case text(String)
    case word(String)
}

/// Fields in the order of the text; of two with the same name the last one counts, in the place of the first.
package struct JsonObject: Sendable {
    package private(set) var names: [String] = []
    private var values: [Exact: Json] = [:]

    package subscript(name: String) -> Json? { values[Exact(name)] }

    mutating func put(_ name: String, _ value: Json) {
        if values.updateValue(value, forKey: Exact(name)) == nil { names.append(name) }
    }
}

/// Why a text is no JSON, in words for brackets.
package struct JsonProblem: Error {
    package let reason: String
}

/// Reads JSON (RFC 8259) as Python's `json` does: NaN and infinities are words, everything else that the standard does
/// not have is refused. Foundation's readers hide which of two equal names counts and round large numbers.
///
/// - Throws: ``JsonProblem``.
package func readJson(_ text: [UInt8]) throws -> Json {
    try text.withUnsafeBufferPointer {
        var reader = JsonReader(text: $0)
        reader.skipSpace()
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        if reader.at < $0.count { throw reader.problem("more follows the value") }
        return value
    }
}

/// Much deeper than any document of ours, and not too deep for the stack of a phone's threads.
private let deepest = 100
/// As many digits as Python makes an integer of.
private let longestInteger = 4300
/// In place of half a surrogate pair, which `String` cannot hold: a control character, as refused as the half would be.
private let halfPair: Unicode.Scalar = "\u{80}"

private struct JsonReader {
    let text: UnsafeBufferPointer<UInt8>
    var at = 0

    func problem(_ reason: String) -> JsonProblem { JsonProblem(reason: "\(reason): byte \(at)") }

    private var byte: UInt8? { at < text.count ? text[at] : nil }

    mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
    }

    mutating func value(depth: Int) throws -> Json {
        if depth > deepest { throw JsonProblem(reason: "nested too deeply") }
        switch byte {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .text(try string())
        default: return .word(try word())
        }
    }

    private mutating func object(depth: Int) throws -> JsonObject {
        var result = JsonObject()
        try members(until: UInt8(ascii: "}")) {
            if $0.byte != UInt8(ascii: "\"") { throw $0.problem("a name is expected") }
            let name = try $0.string()
            $0.skipSpace()
            if $0.byte != UInt8(ascii: ":") { throw $0.problem("a colon is expected") }
            $0.at += 1
            $0.skipSpace()
            result.put(name, try $0.value(depth: depth + 1))
        }
        return result
    }

    private mutating func array(depth: Int) throws -> [Json] {
        var result: [Json] = []
        try members(until: UInt8(ascii: "]")) { result.append(try $0.value(depth: depth + 1)) }
        return result
    }

    private mutating func members(until end: UInt8, _ read: (inout JsonReader) throws -> Void) throws {
        at += 1
        skipSpace()
        if byte == end {
            at += 1
            return
        }
        while true {
            try read(&self)
            skipSpace()
            let separator = byte
            if separator != end && separator != UInt8(ascii: ",") { throw problem("a comma or an end is expected") }
            at += 1
            if separator == end { return }
            skipSpace()
        }
    }

    private mutating func string() throws -> String {
        at += 1
        var bytes: [UInt8] = []
        while let byte, byte != UInt8(ascii: "\"") {
            if byte < 0x20 { throw problem("a control character in a text") }
            at += 1
            if byte == UInt8(ascii: "\\") {
                bytes.append(contentsOf: String(try escape()).utf8)
            } else {
                bytes.append(byte)
            }
        }
        if at == text.count { throw problem("a text has no end") }
        at += 1
        guard let result = utf8Text(bytes) else { throw JsonProblem(reason: "not UTF-8") }
        return result
    }

    private mutating func escape() throws -> Unicode.Scalar {
        let letter = byte
        at += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter ?? 0)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicode()
        default: throw problem("an escape that JSON does not have")
        }
    }

    private mutating func unicode() throws -> Unicode.Scalar {
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let after = at
        if first < 0xdc00, at + 1 < text.count, text[at] == UInt8(ascii: "\\"), text[at + 1] == UInt8(ascii: "u") {
            at += 2
            let second = try fourDigits()
            if second & 0xfc00 == 0xdc00 {
                return Unicode.Scalar(0x10000 + ((first & 0x3ff) << 10 | second & 0x3ff)) ?? halfPair
            }
            at = after
        }
        return halfPair
    }

    private mutating func fourDigits() throws -> UInt32 {
        var number: UInt32 = 0
        for _ in 0..<4 {
            guard let byte, let digit = hexadecimalDigit(byte) else {
                throw problem("four hexadecimal digits are expected")
            }
            number = number << 4 | UInt32(digit)
            at += 1
        }
        return number
    }

    private mutating func word() throws -> String {
        let from = at
        for word in ["true", "false", "null", "NaN", "Infinity", "-Infinity"] where starts(word) {
            at += word.utf8.count
            return word
        }
        if byte == UInt8(ascii: "-") { at += 1 }
        if byte == UInt8(ascii: "0") {
            at += 1
        } else if skipDigits() == 0 {
            throw problem("a value is expected")
        }
        let digits = at - from
        if byte == UInt8(ascii: "."), isDigit(at + 1) {
            at += 1
            skipDigits()
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            let sign = at + 1 < text.count && (text[at + 1] == UInt8(ascii: "+") || text[at + 1] == UInt8(ascii: "-"))
            if isDigit(at + (sign ? 2 : 1)) {
                at += sign ? 2 : 1
                skipDigits()
            }
        }
        if at - from == digits && digits > longestInteger { throw JsonProblem(reason: "a number of too many digits") }
        return String(decoding: text[from..<at], as: UTF8.self)
    }

    private func starts(_ word: String) -> Bool {
        at + word.utf8.count <= text.count && text[at..<at + word.utf8.count].elementsEqual(word.utf8)
    }

    private func isDigit(_ place: Int) -> Bool {
        place < text.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[place])
    }

    @discardableResult
    private mutating func skipDigits() -> Int {
        let from = at
        while isDigit(at) { at += 1 }
        return at - from
    }
}

/// The text of UTF-8 bytes; nil where they are something else.
func utf8Text(_ bytes: [UInt8]) -> String? {
    let text = String(decoding: bytes, as: UTF8.self)
    // What is no UTF-8 has become replacement characters.
    return text.utf8.elementsEqual(bytes) ? text : nil
}

func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

extension Json {
    /// The text of a value, indented by two blanks, with a line break at the end.
    package func written() -> String {
        var result = ""
        write(into: &result, indent: "")
        return result + "\n"
    }

    private func write(into result: inout String, indent: String) {
        switch self {
        case .word(let word): result += word
        case .text(let text): result += Json.quote(text)
        case .array(let elements) where elements.isEmpty: result += "[]"
        case .array(let elements):
            let inside = indent + "  "
            for (place, element) in elements.enumerated() {
                result += (place == 0 ? "[\n" : ",\n") + inside
                element.write(into: &result, indent: inside)
            }
            result += "\n\(indent)]"
        case .object(let object) where object.names.isEmpty: result += "{}"
        case .object(let object):
            let inside = indent + "  "
            for (place, name) in object.names.enumerated() {
                result += (place == 0 ? "{\n" : ",\n") + inside + Json.quote(name) + ": "
                object[name]?.write(into: &result, indent: inside)
            }
            result += "\n\(indent)}"
        }
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"", "\\": result += "\\\(character)"
            case _ where character.value < 0x20: result += "\\u" + hexadecimal(character.value, digits: 4)
            default: result.unicodeScalars.append(character)
            }
        }
        return result + "\""
    }
}
