import Contract
import Foundation

// What tests/ios runs: prints what this implementation makes of cases that Python drew, one line per case; Python
// compares the lines with its own.

/// A command of the table below, then a file that has one JSON object per line.
@main
struct Parity {
    static func main() async throws {
        let (command, file) = (CommandLine.arguments[1], CommandLine.arguments[2])
        let lines = try Data(contentsOf: URL(fileURLWithPath: file)).split(separator: UInt8(ascii: "\n"))
        let cases = try lines.map { Case(try readJson(Array($0))) }
        let answers =
            switch command {
            case "pixels": try await pixelParity(cases)
            case "answers": try cases.map(answerParity)
            case "documents": try cases.map { one in try sentenceOr { try documentParity(one) } }
            case "bundles": try cases.map { one in try sentenceOr { try bundleParity(one) } }
            case "signatures": try cases.map { one in try sentenceOr { try signatureParity(one) } }
            case "gates": try gateParity(cases)
            case "json": cases.map(jsonParity)
            case "deflate": try cases.map(deflateParity)
            case "ecdsa": cases.map(ecdsaParity)
            default: throw SamesightError("no command \(command)")
            }
        FileHandle.standardOutput.write(Data(answers.map { $0 + "\n" }.joined().utf8))
    }
}

func sentenceOr(_ answer: () throws -> String) throws -> String {
    do {
        return try answer()
    } catch let error as SamesightError {
        return error.message
    }
}

/// One case: an object whose fields are there.
struct Case: Sendable {
    let json: Json

    init(_ json: Json) {
        self.json = json
    }

    func has(_ name: String) -> Bool {
        guard case .object(let object) = json else { return false }
        return object[name] != nil
    }

    func element(_ name: String) -> Case {
        guard case .object(let object) = json, let value = object[name] else { fatalError("no field \(name)") }
        return Case(value)
    }

    func text(_ name: String) -> String { element(name).word }

    func int(_ name: String) -> Int { element(name).number }

    func flag(_ name: String) -> Bool { text(name) == "true" }

    func choice<E: RawRepresentable>(_ name: String) -> E where E.RawValue == String {
        guard let value = E(rawValue: text(name)) else { fatalError("no such \(name): \(text(name))") }
        return value
    }

    var word: String {
        switch json {
        case .text(let text), .word(let text): text
        default: fatalError("no text")
        }
    }

    var number: Int {
        guard let number = Int(word) else { fatalError("no number: \(word)") }
        return number
    }

    var list: [Case] {
        guard case .array(let array) = json else { fatalError("no list") }
        return array.map(Case.init)
    }

    var seed: Generator { Generator(UInt64(text("seed")) ?? 0) }

    func orientation() throws -> Orientation {
        try Orientation(quarterTurns: int("quarter_turns"), mirrored: flag("mirrored"))
    }

    func spec() throws -> ModelSpec { try parseSpec(Array(element("spec").json.written().utf8), "spec") }
}

private func documentParity(_ one: Case) throws -> String {
    let text = Array(one.text("text").utf8)
    if one.text("kind") == "spec" {
        _ = try parseSpec(text, "document")
    } else {
        _ = try parseManifest(text, "document")
    }
    return "accepted"
}
