import Foundation
import Testing

@testable import Contract

/// A folder that ends with a test.
private final class Scratch {
    let path = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString

    init() throws {
        try makeFolder(path)
    }

    deinit {
        try? remove(path)
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    func read(_ name: String) -> String? { try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
}

private func always(_ folder: String) -> Bool { true }

private func never(_ folder: String) -> Bool { false }

@Suite struct FilesTests {
    @Test func anExchangeThatWasCutOffIsFinishedWhereTheNewOneIsWhole() throws {
        for isWhole in [true, false] {
            let scratch = try Scratch()
            for name in ["b.new", "b.old"] {
                try makeFolder("\(scratch.path)/\(name)")
                try scratch.write("\(name)/x", name)
            }
            try recover("\(scratch.path)/b", complete: isWhole ? always : never)
            #expect(scratch.read("b/x") == (isWhole ? "b.new" : "b.old"))
            #expect(fileKind("\(scratch.path)/b.old") == .nothing)
        }
    }

    @Test func whatFailsLeavesTheOldOneAndNothingElse() throws {
        struct Broken: Error {}
        let scratch = try Scratch()
        let folder = "\(scratch.path)/b"
        try replacing(folder, complete: always) { _ in try scratch.write("b.new/x", "first") }
        #expect(throws: Broken.self) {
            try replacing(folder, complete: always) { _ in
                try scratch.write("b.new/x", "second")
                throw Broken()
            }
        }
        #expect(scratch.read("b/x") == "first" && fileKind(beside(folder, ".new")) == .nothing)
    }

    @Test func twoWritersDoNotMeet() throws {
        let scratch = try Scratch()
        let folder = "\(scratch.path)/b"
        try replacing(folder, complete: always) { new in
            let sentence = refusal { try replacing(folder, complete: always) { _ in } }
            #expect(sentence.hasPrefix("\(new): another process is writing here"))
        }
        #expect(fileKind(folder) == .folder)
    }

    @Test func aPlaceThatCannotBeWrittenIsSaid() throws {
        let scratch = try Scratch()
        try scratch.write("file", "")
        let folder = "\(scratch.path)/file/b"
        let sentence = refusal { try replacing(folder, complete: always) { _ in } }
        #expect(sentence.hasPrefix("\(folder): cannot be written ("))
    }

    @Test func linksAreRemovedAndNotFollowed() throws {
        let scratch = try Scratch()
        try makeFolder("\(scratch.path)/kept")
        try scratch.write("kept/x", "x")
        try FileManager.default.createSymbolicLink(
            atPath: "\(scratch.path)/link", withDestinationPath: "\(scratch.path)/kept")
        #expect(fileKind("\(scratch.path)/link") == .folder)
        #expect(fileKind("\(scratch.path)/link", following: false) == .link)
        try remove("\(scratch.path)/link")
        #expect(scratch.read("kept/x") == "x")
    }

    @Test func pathsAreToldApartByTheirBytes() {
        #expect(checkRelative("a/b.c") == nil && checkRelative("st\u{fc}ck/st\u{75}\u{308}ck") == nil)
        // A slash with an accent is one character to Swift.
        #expect(checkRelative("..\u{2f}\u{301}x") != nil && checkRelative("a/\r\n/b") != nil)
        #expect(Exact("st\u{fc}ck") != Exact("stu\u{308}ck") && "st\u{fc}ck" == "stu\u{308}ck")
        #expect(labelProblem(["st\u{fc}ck", "stu\u{308}ck"]) == nil)
    }

    @Test func resultsAreWrittenAsJson() throws {
        let answer = Answer(label: "a\"\n", index: 1, score: 0.1, box: Box(x1: 0, y1: 1.5, x2: .infinity, y2: 1e-7))
        let runs = [
            UnitRun(
                artifact: "a", unit: .npu, proof: .timing, times: Times(load: 1, first: 2, steady: 0.25),
                snrDb: [.boxes: nil, .logits: 41.5],
                cases: [CaseRun(id: "000", image: "rgb", tensorSha256: "0", answers: [answer])]),
            UnitRun(artifact: "a", unit: .gpu, refusal: "no"),
        ]
        let device = Device(app: "app", device: "d", system: "s", runtimes: ["b": "2", "a": "1"])
        let text = DeviceParity(manifestSha256: "00", device: device, runs: runs).toJson()
        let read = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let first = try #require((read["runs"] as? [[String: Any]])?.first)
        #expect(first["unit"] as? String == "npu" && first["proof"] as? String == "timing")
        let snr = try #require(first["snr_db"] as? [String: Any])
        #expect(snr["logits"] as? Double == 41.5 && snr["boxes"] is NSNull)
        let answers = try #require((first["cases"] as? [[String: Any]])?.first?["answers"] as? [[String: Any]])
        #expect(answers[0]["label"] as? String == "a\"\n")
        #expect((answers[0]["box"] as? [Any])?[2] is NSNull)
        #expect(Float(try #require(answers[0]["score"] as? Double)) == Float(0.1))
    }
}
