import Foundation

@MainActor
public final class UIDevice {
    public static let current = UIDevice()
    public var systemVersion: String { "" }
}

extension URLResourceValues {
    public var isExcludedFromBackup: Bool? {
        get { nil }
        set {}
    }
}
