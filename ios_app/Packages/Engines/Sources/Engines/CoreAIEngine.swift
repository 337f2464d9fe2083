#if canImport(CoreAI)
    import Contract
    import CoreAI
    import Foundation

    private let format = "coreai"
    private let mainFunction = "main"

    /// Core AI (iOS 27). The unit is a preference there, and nothing tells what ran: only the CPU is certain.
    @available(iOS 27.0, macOS 27.0, *)
    public struct CoreAIOpener: Opener {
        public init() {}

        public func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
            try checkFormat(file, format)
            let url = URL(fileURLWithPath: file.path)
            let options = SpecializationOptions(preferredComputeUnitKind: kind(unit))
            do {
                let function = try waiting {
                    // Specialized once for this device; the system keeps what it made.
                    let model =
                        if let cached = try AIModelCache.default.model(for: url, options: options) {
                            cached
                        } else {
                            try await AIModel.specialize(
                                contentsOf: url, options: options, cache: .default, cachePolicy: .persistent)
                        }
                    guard let descriptor = model.functionDescriptor(for: mainFunction),
                        let function = try model.loadFunction(named: mainFunction)
                    else { throw SamesightError("artifact \(file.artifact.name): has no function \(mainFunction)") }
                    return LoadedFunction(function: function, descriptor: descriptor)
                }
                return try CoreAIEngine(file, function, certain: unit == .cpu)
            } catch let refused as SamesightError {
                throw refused
            } catch {
                throw SamesightError("artifact \(file.artifact.name): Core AI refuses: \(error.localizedDescription)")
            }
        }

        private func kind(_ unit: ComputeUnit) -> ComputeUnitKind {
            switch unit {
            case .cpu: .cpu
            case .gpu: .gpu
            case .npu: .neuralEngine
            }
        }
    }

    @available(iOS 27.0, macOS 27.0, *)
    private struct LoadedFunction: Sendable {
        let function: InferenceFunction
        let descriptor: InferenceFunctionDescriptor
    }

    @available(iOS 27.0, macOS 27.0, *)
    private final class CoreAIEngine: Engine {
        let certain: Bool
        let operations: Int? = nil
        let delegates: [String] = []
        private let artifact: Artifact
        private let roles: [Role]
        private let name: String
        private let input: NDArrayDescriptor
        private var loaded: LoadedFunction?
        private var floats: [Float]

        init(_ file: ArtifactFile, _ loaded: LoadedFunction, certain: Bool) throws {
            artifact = file.artifact
            roles = try outputRoles(artifact)
            self.loaded = loaded
            self.certain = certain
            name = artifact.input.signature ?? artifact.input.name
            guard artifact.inputLayout == .float32Nchw,
                case .ndArray(let input) = loaded.descriptor.inputDescriptor(of: name),
                input.shape == artifact.input.shape
            else {
                throw SamesightError(
                    "artifact \(artifact.name): has no input \(name) of \(artifact.input.shape); make the bundle anew")
            }
            self.input = input
            floats = [Float](repeating: 0, count: inputSize(artifact))
        }

        func run(_ tensor: [UInt8]) throws -> [Role: Tensor] {
            try checkOpen(artifact, loaded != nil)
            guard let function = loaded?.function else { return [:] }
            try checkInput(artifact, tensor)
            pack(tensor, artifact.input.shape[1], artifact.inputLayout, into: &floats)
            let (floats, input, name, artifact, roles) = (floats, input, name, artifact, roles)
            do {
                return try waiting {
                    var array = NDArray(descriptor: input)
                    if input.scalarType == .float16 {
                        var view = array.mutableView(as: Float16.self)
                        view.copyElements(fromContentsOf: floats.map(Float16.init))
                    } else {
                        var view = array.mutableView(as: Float.self)
                        view.copyElements(fromContentsOf: floats)
                    }
                    var results = try await function.run(inputs: [name: array])
                    var outputs: [Role: Tensor] = [:]
                    for (index, role) in roles.enumerated() {
                        let info = artifact.outputs[index]
                        guard let array = results.remove(info.signature ?? info.name)?.ndArray else {
                            throw SamesightError("artifact \(artifact.name): gives no output \(info.name)")
                        }
                        let values = flattened(array)
                        outputs[role] = Tensor(try checkOutput(artifact, index, values.count), values)
                    }
                    return outputs
                }
            } catch let refused as SamesightError {
                throw refused
            } catch {
                throw SamesightError("artifact \(artifact.name): Core AI refuses: \(error.localizedDescription)")
            }
        }

        func close() { loaded = nil }
    }

    /// Row by row, over the padding that a unit may have between rows.
    @available(iOS 27.0, macOS 27.0, *)
    private func flattened(_ array: NDArray) -> [Float] {
        array.scalarType == .float16 ? flattened(array, as: Float16.self) : flattened(array, as: Float.self)
    }

    @available(iOS 27.0, macOS 27.0, *)
    private func flattened<T: BinaryFloatingPoint & BitwiseCopyable>(_ array: NDArray, as type: T.Type) -> [Float] {
        array.view(as: type).withUnsafePointer { start, shape, strides in
            var values: [Float] = []
            var place = [Int](repeating: 0, count: shape.count)
            while true {
                var offset = 0
                for side in place.indices { offset += place[side] * strides[side] }
                values.append(Float(start[offset]))
                var side = place.count - 1
                while side >= 0 {
                    place[side] += 1
                    if place[side] < shape[side] { break }
                    place[side] = 0
                    side -= 1
                }
                if side < 0 { return values }
            }
        }
    }

    /// Waits on this thread, which is the engines' own and none of those that tasks share.
    private func waiting<T: Sendable>(_ act: @escaping @Sendable () async throws -> T) throws -> T {
        let box = ResultBox<T>()
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            do {
                box.result = .success(try await act())
            } catch {
                box.result = .failure(error)
            }
            done.signal()
        }
        done.wait()
        guard let result = box.result else { throw SamesightError("Core AI gave nothing; load it again") }
        return try result.get()
    }

    /// Written before the semaphore's signal and read after its wait: never at once.
    private final class ResultBox<T>: @unchecked Sendable {
        var result: Result<T, any Error>?
    }
#endif
