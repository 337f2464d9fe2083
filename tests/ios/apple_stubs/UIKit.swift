import Foundation

@MainActor
public final class UIDevice {
    public static let current = UIDevice()
    public var systemVersion: String { "" }
}

// Apple's Foundation has these, the one for Linux has not.
extension URL {
    public static var cachesDirectory: URL { URL(fileURLWithPath: "") }
    public static var documentsDirectory: URL { URL(fileURLWithPath: "") }
    public static var applicationSupportDirectory: URL { URL(fileURLWithPath: "") }
}
