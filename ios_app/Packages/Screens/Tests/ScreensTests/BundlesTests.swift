import Contract
import Foundation
import Testing

@testable import Screens

struct BundlesTests {
    private let resources = newFolder()
    private let files = newFolder()

    private var bundles: Bundles { Bundles(resources: resources, files: files) { _ in 1 << 40 } }

    private func install(_ name: String) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: "\(resources)/bundles", withIntermediateDirectories: true)
        try manager.moveItem(atPath: writeBundle(name), toPath: "\(resources)/bundles/\(name)")
    }

    /// A packed bundle: a zip of stored entries.
    private func pack(_ name: String) throws -> Picked {
        let folder = writeBundle(name)
        let paths = (FileManager.default.subpaths(atPath: folder) ?? []).sorted()
        var zip = ZipWriter()
        for path in paths {
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(folder)/\(path)", isDirectory: &isFolder)
            if isFolder.boolValue { continue }
            zip.add(path, [UInt8](FileManager.default.contents(atPath: "\(folder)/\(path)") ?? Data()))
        }
        let file = "\(newFolder())/picked.zip"
        try Data(zip.finished()).write(to: URL(fileURLWithPath: file))
        return Picked(name: "mine.zip", path: file)
    }

    private func names(_ shelved: [Shelved]) -> [String] { shelved.map { "\($0.bundle.spec.name) \($0.opened)" } }

    private func refusal(_ act: () throws -> Void) -> String {
        do {
            try act()
            return ""
        } catch {
            return sentence(error) ?? ""
        }
    }

    @Test func anAppWithoutBundlesHasNone() throws {
        let found = try bundles.all()
        #expect(found.bundles.isEmpty && found.problems.isEmpty)
    }

    @Test func aPackedBundleIsKeptFoundAgainAndWinsOverTheAppsOwn() throws {
        try install("sums")
        try install("spots")
        let taken = try bundles.take(pack("sums"))
        #expect(taken.opened && taken.bundle.spec.name == "sums")
        #expect(names(try bundles.all().bundles) == ["spots false", "sums true"])
        try bundles.remove("sums")
        #expect(names(try bundles.all().bundles) == ["spots false", "sums false"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: files) == ["opened"])
    }

    @Test func aBrokenBundleIsOneSentenceAndCostsNoOther() throws {
        try install("sums")
        try install("spots")
        try Data("changed".utf8).write(to: URL(fileURLWithPath: "\(resources)/bundles/sums/model.json"))
        let found = try bundles.all()
        #expect(names(found.bundles) == ["spots false"] && found.problems.count == 1)
        #expect(found.problems[0].contains("model.json"))
    }

    @Test func aDamagedFileIsOneSentenceWithItsNameAndNothingIsLeftOfIt() throws {
        try install("sums")
        let packed = try pack("spots")
        let data = FileManager.default.contents(atPath: packed.path) ?? Data()
        for damaged in [data.prefix(data.count / 2), Data("no zip".utf8), Data()] {
            try Data(damaged).write(to: URL(fileURLWithPath: packed.path))
            let told = refusal { _ = try bundles.take(packed) }
            #expect(told.hasPrefix("mine.zip: ") && !told.contains(packed.path))
        }
        #expect(names(try bundles.all().bundles) == ["sums false"])
        #expect(!FileManager.default.fileExists(atPath: "\(files)/picked"))
    }

    @Test func aFileThatDoesNotFitIsRefusedBeforeAnythingIsWritten() throws {
        let packed = try pack("sums")
        let full = Bundles(resources: resources, files: files) { _ in 1000 }
        let told = refusal { _ = try full.take(packed) }
        #expect(told == "mine.zip: needs 17 MB, and 1 MB are free; make room")
    }

    @Test func anAppWithAKeyTakesSignedPacksAlone() throws {
        let point = String(repeating: "ab", count: 64)
        let key = "3059301306072a8648ce3d020106082a8648ce3d03010703420004\(point)"
        let bytes = stride(from: 0, to: key.count, by: 2).compactMap { at -> UInt8? in
            let start = key.index(key.startIndex, offsetBy: at)
            return UInt8(key[start..<key.index(start, offsetBy: 2)], radix: 16)
        }
        try Data(bytes).write(to: URL(fileURLWithPath: "\(resources)/pack-key.der"))
        let told = refusal { _ = try bundles.take(pack("sums")) }
        #expect(told.hasPrefix("mine.zip: ") && told.contains("sign"))
    }
}

/// A zip of stored entries, for tests (PKWARE's APPNOTE 6.3.10).
private struct ZipWriter {
    private var data: [UInt8] = []
    private var directory: [UInt8] = []
    private var count = 0

    mutating func add(_ path: String, _ content: [UInt8]) {
        let name = Array(path.utf8)
        let size = number(UInt32(content.count))
        var common = number(UInt16(20))
        common.append(contentsOf: [0, 0, 0, 0, 0, 0, 33, 0])
        common.append(contentsOf: number(crc(content)))
        common.append(contentsOf: size)
        common.append(contentsOf: size)
        common.append(contentsOf: number(UInt16(name.count)))
        common.append(contentsOf: [0, 0])
        directory.append(contentsOf: [0x50, 0x4b, 1, 2, 20, 3])
        directory.append(contentsOf: common)
        directory.append(contentsOf: [UInt8](repeating: 0, count: 6))
        directory.append(contentsOf: number(UInt32(0o100644) << 16))
        directory.append(contentsOf: number(UInt32(data.count)))
        directory.append(contentsOf: name)
        data.append(contentsOf: [0x50, 0x4b, 3, 4])
        data.append(contentsOf: common)
        data.append(contentsOf: name)
        data.append(contentsOf: content)
        count += 1
    }

    func finished() -> [UInt8] {
        var all = data
        all.append(contentsOf: directory)
        all.append(contentsOf: [0x50, 0x4b, 5, 6, 0, 0, 0, 0])
        all.append(contentsOf: number(UInt16(count)))
        all.append(contentsOf: number(UInt16(count)))
        all.append(contentsOf: number(UInt32(directory.count)))
        all.append(contentsOf: number(UInt32(data.count)))
        all.append(contentsOf: [0, 0])
        return all
    }

    private func crc(_ content: [UInt8]) -> UInt32 {
        var sum = UInt32.max
        for byte in content {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0xedb8_8320 : sum >> 1 }
        }
        return ~sum
    }

    private func number<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) }
    }
}
