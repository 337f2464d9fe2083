import Foundation

/// A text for people in the phone's language: the app's String Catalog (`App/Resources/Localizable.xcstrings`) has it under
/// its English words. `%@` stands for the values in their order, `%2$@` for the second one wherever a language puts it.
public func localized(_ english: String, _ values: String...) -> String {
    // Without a translation, and on Linux, it is the English words again.
    filled(Bundle.main.localizedString(forKey: english, value: english, table: nil), values)
}

/// A text with values in the place of `%@`, `%1$@` …, and `%` in that of `%%`; what has no value stays as it is.
func filled(_ text: String, _ values: [String]) -> String {
    var done = ""
    var rest = text[...]
    var next = 0
    while let start = rest.firstIndex(of: "%") {
        done += rest[..<start]
        rest = rest[start...].dropFirst()
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        if rest.hasPrefix("%") {
            done += "%"
            rest = rest.dropFirst()
        } else if rest.hasPrefix("@"), next < values.count {
            done += values[next]
            next += 1
            rest = rest.dropFirst()
        } else if let place = Int(digits), values.indices.contains(place - 1),
            rest.dropFirst(digits.count).hasPrefix("$@")
        {
            done += values[place - 1]
            rest = rest.dropFirst(digits.count + 2)
        } else {
            done += "%"
        }
    }
    return done + rest
}
