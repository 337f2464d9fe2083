// Signatures of App Intents that the app calls, as Apple's documentation has them (iOS 16 to 18); nothing of it runs.

import Foundation

public struct LocalizedStringResource: ExpressibleByStringInterpolation, Sendable {
    public init(stringLiteral value: String) {}
}

public struct IntentDescription: Sendable {
    public init(_ descriptionText: LocalizedStringResource) {}
}

public struct IntentFile: Sendable {
    public init(fileURL: URL) {}
}

public protocol IntentResult: Sendable {}

public protocol ReturnsValue<Value>: IntentResult {
    associatedtype Value: Sendable
}

public struct IntentResultContainer<Value: Sendable>: ReturnsValue {}

extension IntentResult {
    public static func result<Value>(value: Value) -> Self where Self == IntentResultContainer<Value> {
        IntentResultContainer()
    }
}

public protocol AppIntent: Sendable {
    associatedtype PerformResult: IntentResult

    static var title: LocalizedStringResource { get }
    static var openAppWhenRun: Bool { get }
    init()
    func perform() async throws -> PerformResult
}

extension AppIntent {
    public static var openAppWhenRun: Bool { false }
    public typealias Parameter = IntentParameter
    public typealias Dependency = AppDependency
}

@propertyWrapper
public final class IntentParameter<Value: Sendable>: @unchecked Sendable {
    public var wrappedValue: Value {
        get { fatalError() }
        set {}
    }

    public init<Wrapped>(title: LocalizedStringResource, description: LocalizedStringResource? = nil)
    where Value == Wrapped? {}
}

@propertyWrapper
public struct AppDependency<Value: Sendable>: Sendable {
    public var wrappedValue: Value { fatalError() }

    public init() {}
}

public final class AppDependencyManager: Sendable {
    public static let shared = AppDependencyManager()

    public func add<Dependency: Sendable>(dependency: @autoclosure @escaping @Sendable () -> Dependency) {}
}

public struct AppShortcutPhraseToken: Sendable {
    public static var applicationName: AppShortcutPhraseToken { AppShortcutPhraseToken() }
}

public struct AppShortcutPhrase<Intent: AppIntent>: ExpressibleByStringInterpolation, Sendable {
    public struct StringInterpolation: StringInterpolationProtocol {
        public init(literalCapacity: Int, interpolationCount: Int) {}
        public mutating func appendLiteral(_ literal: String) {}
        public mutating func appendInterpolation(_ token: AppShortcutPhraseToken) {}
    }

    public init(stringInterpolation: StringInterpolation) {}
    public init(stringLiteral value: String) {}
}

public struct AppShortcut: Sendable {
    public init<Intent: AppIntent>(
        intent: Intent, phrases: [AppShortcutPhrase<Intent>], shortTitle: LocalizedStringResource,
        systemImageName: String
    ) {}
}

@resultBuilder
public enum AppShortcutsBuilder {
    public static func buildBlock(_ shortcuts: AppShortcut...) -> [AppShortcut] { shortcuts }
}

public protocol AppShortcutsProvider {
    @AppShortcutsBuilder static var appShortcuts: [AppShortcut] { get }
}
