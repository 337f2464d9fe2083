/// A text that equals none but one of the very same characters.
///
/// Swift's `String` takes composed and decomposed letters for equal, and a slash with an accent for another character
/// than a slash. So names and paths are compared and taken apart by their bytes.
struct Exact: Hashable, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (one: Exact, other: Exact) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// Whether two texts have the very same characters.
func same(_ one: String, _ other: String) -> Bool { one.utf8.elementsEqual(other.utf8) }

/// Whether a character is of Unicode's categories Cc, Zl, Zp or Cs: control characters, line and paragraph separators.
///
/// Half a surrogate pair (Cs) cannot stand in a `String`; the reader of JSON puts a control character in its place.
func isUnprintable(_ character: Unicode.Scalar) -> Bool {
    switch character.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
    default: false
    }
}

/// Whether a text holds a control character, or a separator of lines or paragraphs.
func isUnprintable(_ text: String) -> Bool { text.unicodeScalars.contains(where: isUnprintable) }

/// Text of files inside a sentence: unprintable characters, line breaks too, become `\x1b` or `\u2028`.
func oneLine(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
        if isUnprintable(character) {
            result += escaped(character)
        } else {
            result.unicodeScalars.append(character)
        }
    }
    return result
}

/// A character as Python's `ascii` writes it: `\n`, `\x1b`, `\u2028` or `\U0001f415`.
func escaped(_ character: Unicode.Scalar) -> String {
    switch character {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    case _ where character.value < 0x100: "\\x" + hexadecimal(character.value, digits: 2)
    case _ where character.value < 0x10000: "\\u" + hexadecimal(character.value, digits: 4)
    default: "\\U" + hexadecimal(character.value, digits: 8)
    }
}

/// A number in lower case hexadecimal digits, at least `digits` of them.
func hexadecimal(_ number: some FixedWidthInteger, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// What makes labels useless as names of classes, in words; nil if nothing does.
///
/// Labels stand one a line in files inside artifacts, and answers are told apart by them. So each has a character that is
/// no space (category Zs), none that is unprintable, and no two are the same.
func labelProblem(_ labels: [String]) -> String? {
    var seen: [Exact: Int] = [:]
    for (index, label) in labels.enumerated() {
        if isUnprintable(label) { return "label \(index) holds a line break or another control character" }
        if label.unicodeScalars.allSatisfy({ $0.properties.generalCategory == .spaceSeparator }) {
            return "label \(index) is blank"
        }
        if let first = seen.updateValue(index, forKey: Exact(label)) {
            return "labels \(first) and \(index) are the same"
        }
    }
    return nil
}
