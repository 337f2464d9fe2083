import Foundation

// As Apple's github.com/apple/coreai-models calls it.

public enum ComputeUnitKind: Sendable { case cpu, gpu, neuralEngine }

public struct SpecializationOptions: Sendable {
    public init(preferredComputeUnitKind: ComputeUnitKind) {}
}

public enum CachePolicy: Sendable { case persistent }

public struct AIModelCache: Sendable {
    public static let `default` = AIModelCache()
    public func model(for url: URL, options: SpecializationOptions) throws -> AIModel? { nil }
}

public struct AIModel: Sendable {
    public static func specialize(
        contentsOf url: URL, options: SpecializationOptions, cache: AIModelCache, cachePolicy: CachePolicy
    ) async throws -> AIModel { AIModel() }
    public func functionDescriptor(for name: String) -> InferenceFunctionDescriptor? { nil }
    public func loadFunction(named name: String) throws -> InferenceFunction? { nil }
}

public enum ScalarType: Sendable { case float16, float32, int32 }

public struct NDArrayDescriptor: Sendable {
    public var shape: [Int] { [] }
    public var scalarType: ScalarType { .float32 }
}

public enum ValueDescriptor: Sendable { case ndArray(NDArrayDescriptor) }

public struct InferenceFunctionDescriptor: Sendable {
    public func inputDescriptor(of name: String) -> ValueDescriptor? { nil }
}

public struct NDArray {
    public struct View<T> {
        public func withUnsafePointer<R>(_ act: (UnsafePointer<T>, [Int], [Int]) -> R) -> R { fatalError() }
        public mutating func copyElements(fromContentsOf elements: some Collection<T>) {}
    }
    public init(descriptor: NDArrayDescriptor) {}
    public var scalarType: ScalarType { .float32 }
    public func view<T>(as type: T.Type) -> View<T> { View() }
    public mutating func mutableView<T>(as type: T.Type) -> View<T> { View() }
}

public struct InferenceValue {
    public var ndArray: NDArray? { nil }
}

public struct InferenceOutputs {
    public mutating func remove(_ name: String) -> InferenceValue? { nil }
}

public final class InferenceFunction: Sendable {
    public func run(inputs: [String: NDArray]) async throws -> InferenceOutputs { InferenceOutputs() }
}
