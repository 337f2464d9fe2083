/// What is wrong with one field, as `field: what is wrong`; the words are pydantic's, so that Python says the same.
struct FieldProblem: Error {
    let message: String
}

/// What a text has to look like; `expression` is how Python writes it.
struct Pattern: Sendable {
    let expression: String
    let matches: @Sendable (Substring.UTF8View) -> Bool

    /// A first character among `first`, then up to `most` among `others`.
    static func name(_ expression: String, first: String, others: String, most: Int) -> Pattern {
        let first = Set(first.utf8)
        let others = Set(others.utf8)
        return Pattern(expression: expression) {
            guard let head = $0.first, first.contains(head), $0.count <= most + 1 else { return false }
            return $0.dropFirst().allSatisfy(others.contains)
        }
    }

    /// Lower case hexadecimal digits after a `prefix`, as many as `count` allows.
    static func digits(_ expression: String, prefix: String = "", count: ClosedRange<Int>, even: Bool = false)
        -> Pattern
    {
        Pattern(expression: expression) {
            let rest = $0.dropFirst(prefix.utf8.count)
            return $0.starts(with: prefix.utf8) && count.contains(rest.count) && (!even || rest.count % 2 == 0)
                && rest.allSatisfy { hexadecimalDigit($0) != nil && !(0x41...0x5a).contains($0) }
        }
    }
}

let lowerCaseLetters = "abcdefghijklmnopqrstuvwxyz"
let digitLetters = "0123456789"

/// A JSON value and where it stands: `input.mean.0`.
struct Value {
    let json: Json
    let path: String

    func wrong(_ message: String) -> FieldProblem {
        FieldProblem(message: path.isEmpty ? message : "\(path): \(message)")
    }

    /// An object made of its fields by `parse`; unknown ones are refused. A contradiction in `parse` names this value.
    func fields<T>(_ name: String, _ parse: (Fields) throws -> T) throws -> T {
        guard case .object(let values) = json else {
            throw wrong("Input should be a valid dictionary or instance of \(name)")
        }
        let fields = Fields(values, path)
        do {
            let result = try parse(fields)
            try fields.end()
            return result
        } catch let contradiction as Contradiction {
            try fields.end()
            throw wrong(contradiction.message)
        }
    }

    /// A text, of `length` characters, that matches `pattern`.
    func text(_ pattern: Pattern? = nil, length: ClosedRange<Int>? = nil) throws -> String {
        guard case .text(let text) = json else { throw wrong("Input should be a valid string") }
        if let length {
            let count = text.unicodeScalars.count
            if count < length.lowerBound {
                throw wrong("String should have at least \(counted(length.lowerBound, "character"))")
            }
            if count > length.upperBound {
                throw wrong("String should have at most \(counted(length.upperBound, "character"))")
            }
        }
        if let pattern, !pattern.matches(Substring(text).utf8) {
            throw wrong("String should match pattern '^\(pattern.expression)$'")
        }
        return text
    }

    /// A whole number of `least` to `most`.
    func whole(_ least: Int = .min, _ most: Int = .max) throws -> Int {
        let word = try unquoted("Input should be a valid integer", "unable to parse string as an integer")
        guard let real = Double(word) else { throw wrong("Input should be a valid integer") }
        let tooSmall = wrong("Input should be greater than or equal to \(least)")
        let tooGreat = wrong("Input should be less than or equal to \(most)")
        let whole: Int
        if isInteger(word) {
            guard let fitting = Int(word) else { throw real < 0 ? tooSmall : tooGreat }
            whole = fitting
        } else {
            if !real.isFinite { throw wrong("Input should be a finite number") }
            if real != real.rounded(.towardZero) {
                throw wrong("Input should be a valid integer, got a number with a fractional part")
            }
            guard let fitting = Int(exactly: real) else {
                throw wrong("Unable to parse input string as an integer, exceeded maximum size")
            }
            whole = fitting
        }
        if whole < least { throw tooSmall }
        if whole > most { throw tooGreat }
        return whole
    }

    /// As `whole`, of 31 bits and a sign.
    func int(_ least: Int = Int(Int32.min), _ most: Int = Int(Int32.max)) throws -> Int { try whole(least, most) }

    /// A finite number.
    func number() throws -> Double {
        let word = try unquoted("Input should be a valid number", "unable to parse string as a number")
        guard let real = Double(word) else { throw wrong("Input should be a valid number") }
        if !real.isFinite { throw wrong("Input should be a \(isInteger(word) ? "valid" : "finite") number") }
        return real
    }

    /// A literal's text; Python also reads numbers in quotes, which nothing of ours writes.
    private func unquoted(_ expected: String, _ ofText: String) throws -> String {
        switch json {
        case .word(let word): return word
        case .text: throw wrong("\(expected), \(ofText)")
        default: throw wrong(expected)
        }
    }

    /// A number of 0 to 1.
    func fraction() throws -> Double {
        let value = try number()
        if value < 0 { throw wrong("Input should be greater than or equal to 0") }
        if value > 1 { throw wrong("Input should be less than or equal to 1") }
        return value
    }

    func flag() throws -> Bool {
        switch json {
        case .word("true"): return true
        case .word("false"): return false
        default: throw wrong("Input should be a valid boolean")
        }
    }

    /// One of some texts.
    func oneOf(_ among: [String]) throws -> String {
        guard case .text(let text) = json, let found = among.first(where: { same($0, text) }) else {
            throw wrong("Input should be \(alternatives(among))")
        }
        return found
    }

    /// One of the values of an enumeration by its raw value.
    func choice<E: RawRepresentable & CaseIterable>(_ type: E.Type = E.self) throws -> E where E.RawValue == String {
        let text = try oneOf(E.allCases.map(\.rawValue))
        guard let value = E(rawValue: text) else { throw wrong("Input should be one of ours") }
        return value
    }

    /// An array of `least` to `most` elements.
    func list<T>(least: Int = 0, most: Int = .max, _ parse: (Value) throws -> T) throws -> [T] {
        guard case .array(let array) = json else { throw wrong("Input should be a valid tuple") }
        let result = try array.enumerated().map { try parse(Value(json: $1, path: inside($0))) }
        if result.count > most {
            throw wrong("Tuple should have at most \(counted(most, "item")) after validation, not \(result.count)")
        }
        if result.count < least {
            throw wrong("Tuple should have at least \(counted(least, "item")) after validation, not \(result.count)")
        }
        return result
    }

    /// An array of exactly `size` elements.
    func tuple<T>(_ size: Int, _ parse: (Value) throws -> T) throws -> [T] {
        guard case .array(let array) = json else { throw wrong("Input should be a valid tuple") }
        if array.count > size {
            throw wrong("Tuple should have at most \(counted(size, "item")) after validation, not \(array.count)")
        }
        return try (0..<size).map {
            if $0 >= array.count { throw FieldProblem(message: "\(inside($0)): Field required") }
            return try parse(Value(json: array[$0], path: inside($0)))
        }
    }

    /// An object whose keys are names, in the order of the text.
    func map<T>(_ parse: (Value) throws -> T) throws -> [(String, T)] {
        guard case .object(let object) = json else { throw wrong("Input should be a valid dictionary") }
        return try object.names.compactMap { name in
            try object[name].map { (name, try parse(Value(json: $0, path: inside(name)))) }
        }
    }

    /// Null as such, or what `parse` makes.
    func orNull<T>(_ parse: (Value) throws -> T) throws -> T? {
        if case .word("null") = json { return nil }
        return try parse(self)
    }

    /// The path of a part.
    func inside(_ part: some CustomStringConvertible) -> String { path.isEmpty ? "\(part)" : "\(path).\(part)" }
}

/// The fields of one object, to be read in the order in which Python declares them.
final class Fields {
    private let values: JsonObject
    let path: String
    private var known: Set<Exact> = []

    init(_ values: JsonObject, _ path: String) {
        self.values = values
        self.path = path
    }

    /// A field that has to be there.
    func required<T>(_ name: String, _ parse: (Value) throws -> T) throws -> T {
        guard let value = find(name) else { throw FieldProblem(message: "\(inside(name)): Field required") }
        return try parse(value)
    }

    /// As `required`, of a value that may be null.
    func nullable<T>(_ name: String, _ parse: (Value) throws -> T) throws -> T? {
        try required(name) { try $0.orNull(parse) }
    }

    /// A field that may be left out.
    func optional<T>(_ name: String, _ missing: T, _ parse: (Value) throws -> T) throws -> T {
        try find(name).map(parse) ?? missing
    }

    /// A field that may be left out or null.
    func optional<T>(_ name: String, _ parse: (Value) throws -> T) throws -> T? {
        try find(name)?.orNull(parse)
    }

    /// Refuses fields that were not asked for.
    func end() throws {
        if let extra = values.names.first(where: { !known.contains(Exact($0)) }) {
            throw FieldProblem(message: "\(inside(extra)): Extra inputs are not permitted")
        }
    }

    private func find(_ name: String) -> Value? {
        known.insert(Exact(name))
        return values[name].map { Value(json: $0, path: inside(name)) }
    }

    private func inside(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}

/// Whether a number's word has neither point nor exponent.
func isInteger(_ word: String) -> Bool {
    let digits = word.utf8.drop { $0 == UInt8(ascii: "-") }
    return !digits.isEmpty && digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
}

private func counted(_ number: Int, _ thing: String) -> String { number == 1 ? "1 \(thing)" : "\(number) \(thing)s" }

/// `'a', 'b' or 'c'`.
func alternatives(_ names: [String]) -> String {
    let quoted = names.map { "'\($0)'" }
    if quoted.count == 1 { return quoted[0] }
    return "\(quoted.dropLast().joined(separator: ", ")) or \(quoted[quoted.count - 1])"
}

/// A number as Python's repr writes it, from 1e-4 to 1e16.
func decimal(_ value: Double) -> String { value.description }

/// A text in quotes as Python's repr writes it.
func quoted(_ text: String) -> String {
    let quote: Unicode.Scalar =
        text.utf8.contains(UInt8(ascii: "'")) && !text.utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
    var result = "\(quote)"
    for character in text.unicodeScalars {
        if character == quote || character == "\\" {
            result += "\\\(character)"
        } else if isPrintableInPython(character) {
            result.unicodeScalars.append(character)
        } else {
            result += escaped(character)
        }
    }
    return result + "\(quote)"
}

private func isPrintableInPython(_ character: Unicode.Scalar) -> Bool {
    switch character.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: character == " "
    default: true
    }
}
