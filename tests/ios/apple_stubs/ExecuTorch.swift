import Foundation

public enum ModuleLoadMode: Sendable { case file, mmap }

public struct MethodMetadata {
    public var backendNames: [String] { [] }
}

public struct Tensor<T> {
    public init(_ scalars: [T], shape: [Int]) {}
    public func scalars() -> [T] { [] }
}

public struct Value {
    public func tensor<T>() -> Tensor<T>? { nil }
}

public final class Module {
    public init(filePath: String, loadMode: ModuleLoadMode = .file) {}
    public func load(_ method: String) throws {}
    public func methodMetadata(_ method: String) throws -> MethodMetadata { MethodMetadata() }
    public func forward(_ tensor: Tensor<Float>) throws -> [Value] { [] }
}
