import Contract
import Foundation

private let keyFile = "pack-key.der"

// Left to the app and the system beside a bundle.
private let spareBytes = 16 << 20

/// The bundles of this app: what it was built with (`samesight install`), and what a person opened.
public struct Bundles: Shelf {
    private let installed: String
    private let opened: String
    private let picked: String
    private let key: String
    private let free: @Sendable (String) -> Int

    /// - Parameters:
    ///   - resources: the folder of the app's own files, with `bundles` in it.
    ///   - files: a folder of the app that lasts.
    ///   - free: bytes that may be written into a folder.
    public init(resources: String, files: String, free: @escaping @Sendable (String) -> Int = freeBytes) {
        installed = "\(resources)/bundles"
        opened = "\(files)/opened"
        // Beside the place where it stays, so that it is moved there and not copied.
        picked = "\(files)/picked"
        key = "\(resources)/\(keyFile)"
        self.free = free
    }

    public func all() throws -> (bundles: [Shelved], problems: [String]) {
        var problems: [String] = []
        func openAll(_ folder: String, _ open: (String) throws -> ModelBundle) -> [ModelBundle] {
            names(folder).compactMap { name in
                do {
                    return try open("\(folder)/\(name)")
                } catch {
                    problems.append(sentence(error) ?? localized("%@: cannot be opened", name))
                    return nil
                }
            }
        }
        let taken = openAll(opened) { try signed(openBundle($0)) }
        let hidden = taken.map(\.spec.name)
        let own = openAll(installed) { try openBundle($0) }.filter { !hidden.contains($0.spec.name) }
        return (own.map { Shelved($0, opened: false) } + taken.map { Shelved($0, opened: true) }, problems)
    }

    /// What an interrupted exchange left is found again under its own name.
    private func names(_ folder: String) -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let own = all.filter { !$0.hasPrefix(".") }.map { name in
            [".old", ".new"].first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) } ?? name
        }
        return Set(own).sorted()
    }

    public func take(_ packed: Picked) throws -> Shelved {
        let manager = FileManager.default
        defer { try? manager.removeItem(atPath: picked) }
        try? manager.removeItem(atPath: picked)
        do {
            let bytes = (try? manager.attributesOfItem(atPath: packed.path)[.size] as? Int) ?? nil
            if let bytes { try checkSize(bytes, packed.name) }
            try manager.createDirectory(atPath: opened, withIntermediateDirectories: true)
            try unpackBundle(packed.path, picked)
            let name = try openBundle(picked).spec.name
            let target = "\(opened)/\(name)"
            if let key = try publicKey() { try checkSigned(name, target, key) }
            try replacingBundle(target) { new in
                try manager.removeItem(atPath: new)
                try manager.moveItem(atPath: picked, toPath: new)
            }
            return Shelved(try openBundle(target), opened: true)
        } catch let refused as SamesightError {
            // A person knows the file by its name, not by its place.
            let told = refused.message.replacingOccurrences(of: packed.path, with: packed.name)
            throw SamesightError(told.replacingOccurrences(of: picked, with: packed.name))
        } catch {
            throw SamesightError(
                localized(
                    "%@: cannot be read (%@); copy it to this device first", packed.name, error.localizedDescription))
        }
    }

    private func checkSize(_ bytes: Int, _ name: String) throws {
        if bytes > bundleBytes {
            throw SamesightError(
                localized("%@: has more than %@ bytes; not a packed bundle", name, "\(bundleBytes)"))
        }
        let (needed, room) = (bytes + spareBytes, free(opened))
        if needed > room {
            throw SamesightError(
                localized(
                    "%@: needs %@ MB, and %@ MB are free; make room", name, megabytes(needed), megabytes(room)))
        }
    }

    private func megabytes(_ bytes: Int) -> String { "\((bytes + 999_999) / 1_000_000)" }

    /// The key that packs have to be signed with; nil where the app was built without (`samesight install --key`).
    private func publicKey() throws -> PublicKey? {
        guard FileManager.default.fileExists(atPath: key) else { return nil }
        guard let der = FileManager.default.contents(atPath: key) else {
            throw SamesightError(localized("%@: cannot be read; build the app anew", keyFile))
        }
        return try PublicKey([UInt8](der), keyFile)
    }

    /// A bundle that was opened earlier, if it may still be used.
    private func signed(_ bundle: ModelBundle) throws -> ModelBundle {
        let name = bundle.spec.name
        if let key = try publicKey() { try checkModel(checkSignature(bundle.folder, name, key), name, name) }
        return bundle
    }

    private func checkSigned(_ name: String, _ target: String, _ key: PublicKey) throws {
        let statement = try checkSignature(picked, picked, key)
        try checkModel(statement, name, picked)
        // None was opened yet, or it is of before the app had a key.
        guard let present = try? checkSignature(target, target, key) else { return }
        try checkNewer(statement, present, picked)
    }

    public func remove(_ name: String) throws {
        // With what an interrupted exchange left, which would be found again.
        for suffix in ["", ".old", ".new"] {
            let path = "\(opened)/\(name)\(suffix)"
            guard FileManager.default.fileExists(atPath: path) else { continue }
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch {
                throw SamesightError(localized("%@: cannot be removed; restart the device and try again", name))
            }
        }
    }
}

/// Bytes that may be written into a folder, or the one that it will stand in.
@Sendable
public func freeBytes(_ folder: String) -> Int {
    var folder = folder
    while !FileManager.default.fileExists(atPath: folder), folder.count > 1 {
        folder = (folder as NSString).deletingLastPathComponent
    }
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder)
    return (attributes?[.systemFreeSize] as? NSNumber)?.intValue ?? .max
}
