import Contract

/// One sentence of a failure; nil where something was cancelled.
func sentence(_ error: any Error) -> String? {
    switch error {
    case is CancellationError: nil
    case let error as SamesightError: error.message
    default: localized("something in the app went wrong: %@", "\(error)")
    }
}

/// What takes a while, away from the main actor.
func away<T: Sendable>(_ act: @escaping @Sendable () throws -> T) async throws -> T {
    try await Task.detached(priority: .userInitiated) { try act() }.value
}
