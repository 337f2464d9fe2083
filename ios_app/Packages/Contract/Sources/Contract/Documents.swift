/// The schema of each kind of document that this reader knows; 1 where none is named.
private let schemaVersions = ["Manifest": 2, "Verdicts": 2]

/// Reads a document from JSON text.
///
/// - Parameter parse: makes the document of its fields.
/// - Throws: ``SamesightError`` not JSON, of another schema, or contradicting itself; the sentence begins with `source`.
func parseDocument<T>(_ name: String, _ text: [UInt8], _ source: String, _ parse: (Fields) throws -> T) throws -> T {
    let data: Json
    do {
        data = try readJson(text)
    } catch let problem as JsonProblem {
        throw SamesightError("\(source): not a JSON document (\(problem.reason)); make it anew")
    }
    let known = schemaVersions[name] ?? 1
    if case .object(let object) = data, case .word(let word) = object["schema_version"], isInteger(word) {
        // A number of more bits than ours is newer than all.
        let version = Int(word) ?? (word.utf8.first == UInt8(ascii: "-") ? .min : .max)
        if version > known {
            throw SamesightError(
                "\(source): written by a newer samesight (schema \(word), this one reads \(known)); update samesight")
        }
        if version >= 1 && version < known {
            throw SamesightError(
                "\(source): written by an older samesight (schema \(word), this one reads \(known)); make it anew")
        }
    }
    do {
        return try Value(json: data, path: "").fields(name) {
            _ = try $0.optional("schema_version", known) { try schemaVersion($0, known) }
            return try parse($0)
        }
    } catch let problem as FieldProblem {
        throw SamesightError("\(source): \(oneLine(problem.message)); mend it or make it anew")
    }
}

/// Reads a document from a file (errors as in ``parseDocument(_:_:_:_:)``, and a file that cannot be read).
func readDocument<T>(_ name: String, _ file: String, _ parse: (Fields) throws -> T) throws -> T {
    let text: [UInt8]
    do {
        let reader = try FileReader(checkPlain(file))
        if reader.length > documentBytes {
            throw SamesightError("\(file): has more than \(grouped(documentBytes)) bytes; not a document of ours")
        }
        text = try reader.bytes(0, count: reader.length)
    } catch let problem as FileProblem {
        throw SamesightError("\(file): \(problem.reason); is this the right folder?")
    }
    return try parseDocument(name, text, file, parse)
}

private func schemaVersion(_ value: Value, _ known: Int) throws -> Int {
    if case .word(let word) = value.json, Double(word) == Double(known) { return known }
    throw value.wrong("Input should be \(known)")
}
