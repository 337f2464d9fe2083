import Foundation

/// Why a file cannot be read or written, in the system's words.
package struct FileProblem: Error {
    package let reason: String
}

/// What the system said last.
private func lastProblem() -> FileProblem { FileProblem(reason: String(cString: strerror(errno))) }

/// Hexadecimal SHA-256 of bytes.
public func sha256(_ data: [UInt8]) -> String {
    data.withUnsafeBytes {
        var hash = Sha256()
        hash.update($0)
        return hexadecimal(hash.finished())
    }
}

/// Hexadecimal SHA-256 of a file's content.
func fileSha256(_ file: String) throws -> String {
    let reader = try FileReader(file)
    var hash = Sha256()
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    var at = 0
    while true {
        let count = try piece.withUnsafeMutableBytes { bytes in
            let count = try reader.read(at, into: bytes)
            hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            return count
        }
        if count == 0 { return hexadecimal(hash.finished()) }
        at += count
    }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// A file that is read from any place.
package final class FileReader {
    package let length: Int
    private let handle: Int32

    /// - Throws: ``FileProblem``.
    package init(_ file: String) throws {
        handle = open(file, O_RDONLY | O_CLOEXEC)
        if handle < 0 { throw lastProblem() }
        var info = stat()
        length = fstat(handle, &info) == 0 ? Int(info.st_size) : 0
        if info.st_mode & S_IFMT == S_IFDIR {
            close(handle)
            errno = EISDIR
            throw lastProblem()
        }
    }

    deinit {
        close(handle)
    }

    /// Up to as many bytes as fit; how many those are, 0 at the end.
    func read(_ at: Int, into bytes: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = pread(handle, bytes.baseAddress, bytes.count, off_t(at))
        if count < 0 { throw lastProblem() }
        return count
    }

    /// Exactly `count` bytes.
    func bytes(_ at: Int, count: Int) throws -> [UInt8] {
        if at < 0 || count > length - at { throw FileProblem(reason: "File is cut off") }
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[filled..<count])
                let step = try read(at + filled, into: rest)
                if step == 0 { throw FileProblem(reason: "File is cut off") }
                filled += step
            }
        }
    }
}

/// A file that is written from its beginning.
final class FileWriter {
    private let handle: Int32

    /// - Throws: ``FileProblem``.
    init(_ file: String) throws {
        handle = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if handle < 0 { throw lastProblem() }
    }

    deinit {
        close(handle)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var at = 0
        while at < bytes.count {
            let count = Foundation.write(handle, bytes.baseAddress?.advanced(by: at), bytes.count - at)
            if count < 0 { throw lastProblem() }
            at += count
        }
    }
}

/// What stands at a path.
enum FileKind {
    case file, folder, link, special, nothing
}

/// What stands at a path; with `following`, links count as what they lead to.
func fileKind(_ path: String, following: Bool = true) -> FileKind {
    var info = stat()
    guard (following ? stat(path, &info) : lstat(path, &info)) == 0 else { return .nothing }
    return switch info.st_mode & S_IFMT {
    case S_IFREG: .file
    case S_IFDIR: .folder
    case S_IFLNK: .link
    default: .special
    }
}

/// Refuses a pipe, a device or a socket: those may never end, or never begin. A folder, or nothing, is left to the reader.
///
/// - Throws: ``SamesightError`` with one sentence.
@discardableResult
func checkPlain(_ file: String) throws -> String {
    var info = stat()
    guard stat(file, &info) == 0 else { return file }
    let kind: String? =
        switch info.st_mode & S_IFMT {
        case S_IFIFO: "a pipe"
        case S_IFCHR, S_IFBLK: "a device"
        case S_IFSOCK: "a socket"
        default: nil
        }
    if let kind {
        throw SamesightError("\(file): is \(kind), not a plain file; copy what it gives to a file and give that")
    }
    return file
}

/// A path from the root, without a slash at its end.
private func absolute(_ path: String) -> String {
    var path = path
    if path.utf8.first != UInt8(ascii: "/") { path = FileManager.default.currentDirectoryPath + "/" + path }
    while path.utf8.count > 1 && path.utf8.last == UInt8(ascii: "/") { path.unicodeScalars.removeLast() }
    return path
}

/// `folder` with `.new` or `.old` after its name.
public func beside(_ folder: String, _ suffix: String) -> String { absolute(folder) + suffix }

/// Gives `fill` an empty folder beside `folder`; when it ends well, that takes `folder`'s place.
///
/// The order is: `.new` written, `folder` renamed to `.old`, `.new` renamed to `folder`, `.old` removed. A kill between
/// two steps is mended by ``recover(_:complete:)``. The lock on `.new` ends with its process.
///
/// - Parameter complete: tells whether a folder is whole.
/// - Throws: ``SamesightError`` somebody else is writing there, or the place is not writable.
func replacing(_ folder: String, complete: (String) -> Bool, fill: (String) throws -> Void) throws {
    try recover(folder, complete: complete)
    let new = beside(folder, ".new")
    do {
        try makeFolder(new)
        try locked(new, wait: false) {
            do {
                for name in try FileManager.default.contentsOfDirectory(atPath: new) { try remove("\(new)/\(name)") }
                try fill(new)
                try flush(new)
                try exchange(folder, new)
            } catch {
                try? remove(new)
                throw error
            }
        }
    } catch let problem as FileProblem {
        throw SamesightError("\(folder): cannot be written (\(problem.reason)); choose another place or make room")
    } catch let error as CocoaError {
        let reason = error.underlying?.localizedDescription ?? error.localizedDescription
        throw SamesightError("\(folder): cannot be written (\(reason)); choose another place or make room")
    }
}

/// Finishes or rolls back an exchange that was interrupted; without one, does nothing.
func recover(_ folder: String, complete: (String) -> Bool) throws {
    let new = beside(folder, ".new")
    let old = beside(folder, ".old")
    if fileKind(old) != .folder { return }
    func mend() {
        if fileKind(folder) == .nothing && fileKind(new) == .folder && complete(new) { rename(new, absolute(folder)) }
        if fileKind(folder) == .nothing { rename(old, absolute(folder)) }
        try? remove(old)
    }
    if fileKind(new) == .folder { try locked(new, wait: true, mend) } else { mend() }
}

private func exchange(_ folder: String, _ new: String) throws {
    let old = beside(folder, ".old")
    if fileKind(folder) != .nothing && rename(absolute(folder), old) != 0 { throw lastProblem() }
    if rename(new, absolute(folder)) != 0 { throw lastProblem() }
    try? remove(old)
}

/// Holds the lock on a folder, which ends with this process at the latest and moves with the folder.
private func locked(_ folder: String, wait: Bool, _ work: () throws -> Void) throws {
    let handle = open(folder, O_RDONLY | O_CLOEXEC)
    if handle < 0 { throw lastProblem() }
    defer { close(handle) }
    if flock(handle, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0 {
        throw SamesightError("\(folder): another process is writing here; wait for it or choose another place")
    }
    try work()
}

/// Makes a folder, and those that it stands in.
func makeFolder(_ folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
}

/// Removes a file, or a folder with all that is in it; links are not followed.
func remove(_ path: String) throws {
    if fileKind(path, following: false) != .nothing { try FileManager.default.removeItem(atPath: path) }
}

private func flush(_ folder: String) throws {
    for path in try files(folder) {
        let handle = open(path, O_RDONLY | O_CLOEXEC)
        if handle < 0 { throw lastProblem() }
        defer { close(handle) }
        if fsync(handle) != 0 { throw lastProblem() }
    }
}

private func files(_ folder: String) throws -> [String] {
    var found: [String] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        let path = "\(folder)/\(name)"
        switch fileKind(path, following: false) {
        case .folder: found += try files(path)
        case .file: found.append(path)
        default: break
        }
    }
    return found
}
