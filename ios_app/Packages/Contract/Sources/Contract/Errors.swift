import Foundation

/// A failure that a person can act on: one sentence with the file or field, what is wrong and what to do.
///
/// The same faults have the same sentences as in Python.
public struct SamesightError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
    public let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }

    public var errorDescription: String? { message }
}

/// What values that belong together contradict, in words; where they stand is added by whoever reads them.
struct Contradiction: Error {
    let message: String
}

/// Throws a ``Contradiction`` unless `holds`.
func require(_ holds: Bool, _ message: @autoclosure () -> String) throws {
    if !holds { throw Contradiction(message: message()) }
}
