import CoreVideo
import Foundation

public enum MLComputeUnits: Int, Sendable { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }

public final class MLModelConfiguration {
    public init() {}
    public var computeUnits = MLComputeUnits.all
}

public final class MLImageConstraint {
    public var pixelsWide: Int { 0 }
    public var pixelsHigh: Int { 0 }
}

public final class MLFeatureDescription {
    public var imageConstraint: MLImageConstraint? { nil }
}

public final class MLModelDescription {
    public var inputDescriptionsByName: [String: MLFeatureDescription] { [:] }
}

public final class MLMultiArray {}

public final class MLFeatureValue {
    public init(pixelBuffer: CVPixelBuffer) {}
    public var multiArrayValue: MLMultiArray? { nil }
}

public protocol MLFeatureProvider: AnyObject {
    func featureValue(for name: String) -> MLFeatureValue?
}

public final class MLDictionaryFeatureProvider: MLFeatureProvider {
    public init(dictionary: [String: Any]) throws {}
    public func featureValue(for name: String) -> MLFeatureValue? { nil }
}

public final class MLModel {
    public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {}
    public static func compileModel(at url: URL) async throws -> URL { url }
    public var modelDescription: MLModelDescription { MLModelDescription() }
    public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { input }
}

public struct MLShapedArray<Scalar> {
    public init(converting array: MLMultiArray) {}
    public var scalars: [Scalar] { [] }
}

public enum MLComputeDevice: Sendable { case cpu(Int), gpu(Int), neuralEngine(Int) }

public final class MLComputePlan {
    public struct DeviceUsage { public var preferred: MLComputeDevice { .cpu(0) } }
    public static func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLComputePlan {
        MLComputePlan()
    }
    public var modelStructure: MLModelStructure { .unsupported }
    public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? { nil }
}

public enum MLModelStructure {
    public struct Program {
        public struct Operation {}
        public struct Block { public var operations: [Operation] { [] } }
        public struct Function { public var block: Block { Block() } }
        public var functions: [String: Function] { [:] }
    }
    case program(Program)
    case unsupported
}
