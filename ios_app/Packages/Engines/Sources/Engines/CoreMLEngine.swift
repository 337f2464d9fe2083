#if canImport(CoreML)
    import Contract
    import CoreML
    import CoreVideo
    import Foundation

    private let format = "coreml"

    /// Core ML on pixel buffers that the contract made: nothing of Vision, which scales and turns images its own way.
    ///
    /// Core ML always has the CPU beside a GPU or the Neural Engine, and does not tell what ran: only the CPU is certain.
    public struct CoreMLOpener: Opener {
        private let cache: String

        /// - Parameter cache: a folder for compiled models, which the system may empty.
        public init(cache: String) {
            self.cache = cache
        }

        /// Compiles a package once for all its loads; a compiled model is called by the hash of what it was made of.
        public func prepare(_ file: ArtifactFile) async throws -> ArtifactFile {
            try checkFormat(file, format)
            let compiled = URL(fileURLWithPath: "\(cache)/\(file.sha256).mlmodelc")
            if !FileManager.default.fileExists(atPath: compiled.path) {
                do {
                    let made = try await MLModel.compileModel(at: URL(fileURLWithPath: file.path))
                    defer { try? FileManager.default.removeItem(at: made) }
                    try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
                    try FileManager.default.moveItem(at: made, to: compiled)
                } catch {
                    // Another task may have been first.
                    if !FileManager.default.fileExists(atPath: compiled.path) { throw refusal(file, error) }
                }
            }
            return ArtifactFile(artifact: file.artifact, path: compiled.path, sha256: file.sha256)
        }

        public func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
            try checkFormat(file, format)
            do {
                let model = try MLModel(contentsOf: URL(fileURLWithPath: file.path), configuration: configuration(unit))
                return try CoreMLEngine(file, model, certain: unit == .cpu)
            } catch let refused as SamesightError {
                throw refused
            } catch {
                // A compiled model that was damaged is made anew at the next load.
                if unit == .cpu && file.path.hasPrefix("\(cache)/") {
                    try? FileManager.default.removeItem(atPath: file.path)
                }
                throw refusal(file, error)
            }
        }

        public func plan(_ file: ArtifactFile, _ unit: ComputeUnit) async -> String? {
            guard #available(iOS 17.4, macOS 14.4, *) else { return nil }
            let url = URL(fileURLWithPath: file.path)
            guard let plan = try? await MLComputePlan.load(contentsOf: url, configuration: configuration(unit)),
                case .program(let program) = plan.modelStructure, let main = program.functions["main"]
            else { return nil }
            var counts: [String: Int] = [:]
            for operation in main.block.operations {
                guard let usage = plan.deviceUsage(for: operation) else { continue }
                counts[name(usage.preferred), default: 0] += 1
            }
            if counts.isEmpty { return nil }
            let parts = counts.sorted { $0.value > $1.value }.map { "\($0.value) on the \($0.key)" }
            return "Core ML plans its operations: \(parts.joined(separator: ", "))"
        }
    }

    @available(iOS 17.0, macOS 14.0, *)
    private func name(_ device: MLComputeDevice) -> String {
        switch device {
        case .cpu: "CPU"
        case .gpu: "GPU"
        case .neuralEngine: "NPU"
        @unknown default: "unit that this app does not know"
        }
    }

    private func configuration(_ unit: ComputeUnit) -> MLModelConfiguration {
        let configuration = MLModelConfiguration()
        switch unit {
        case .cpu: configuration.computeUnits = .cpuOnly
        case .gpu: configuration.computeUnits = .cpuAndGPU
        case .npu: configuration.computeUnits = .cpuAndNeuralEngine
        }
        return configuration
    }

    private func refusal(_ file: ArtifactFile, _ error: any Error) -> SamesightError {
        SamesightError("artifact \(file.artifact.name): Core ML refuses: \(error.localizedDescription)")
    }

    private final class CoreMLEngine: Engine {
        let certain: Bool
        let operations: Int? = nil
        let delegates: [String] = []
        private let artifact: Artifact
        private let roles: [Role]
        private var model: MLModel?
        private let image: CVPixelBuffer
        private let input: any MLFeatureProvider

        init(_ file: ArtifactFile, _ model: MLModel, certain: Bool) throws {
            artifact = file.artifact
            roles = try outputRoles(artifact)
            self.certain = certain
            self.model = model
            let shape = artifact.input.shape
            if artifact.inputLayout != .bgra8Nhwc || shape.count != 4 {
                throw SamesightError("artifact \(artifact.name): Core ML models take BGRA images here")
            }
            let (height, width) = (shape[1], shape[2])
            let name = artifact.input.signature ?? artifact.input.name
            guard let expected = model.modelDescription.inputDescriptionsByName[name]?.imageConstraint,
                expected.pixelsWide == width, expected.pixelsHigh == height
            else {
                throw SamesightError(
                    "artifact \(artifact.name): has no image input \(name) of \(width) x \(height); the file is not the one "
                        + "that the manifest describes, make the bundle anew")
            }
            var made: CVPixelBuffer?
            let options = [kCVPixelBufferIOSurfacePropertiesKey as String: [String: String]()] as CFDictionary
            let status = CVPixelBufferCreate(nil, width, height, kCVPixelFormatType_32BGRA, options, &made)
            guard status == kCVReturnSuccess, let made else {
                throw SamesightError("not enough memory; close other apps, or take a smaller image or model")
            }
            image = made
            input = try MLDictionaryFeatureProvider(dictionary: [name: MLFeatureValue(pixelBuffer: made)])
        }

        func run(_ tensor: [UInt8]) throws -> [Role: Tensor] {
            try checkOpen(artifact, model != nil)
            guard let model else { return [:] }
            let shape = artifact.input.shape
            let channels = tensor.count / (shape[1] * shape[2])
            if tensor.count != channels * shape[1] * shape[2] || (channels != 1 && channels != 3) {
                throw SamesightError(
                    "artifact \(artifact.name): takes an image of \(shape), not \(tensor.count) values")
            }
            try fill(tensor, channels, width: shape[2])
            let result: any MLFeatureProvider
            do {
                result = try model.prediction(from: input)
            } catch {
                throw SamesightError("artifact \(artifact.name): Core ML refuses: \(error.localizedDescription)")
            }
            var outputs: [Role: Tensor] = [:]
            for (index, role) in roles.enumerated() {
                let info = artifact.outputs[index]
                guard let array = result.featureValue(for: info.signature ?? info.name)?.multiArrayValue else {
                    throw SamesightError(
                        "artifact \(artifact.name): gives no output \(info.name); make the bundle anew")
                }
                // Converts float16, and goes over the padding that a unit may have between rows.
                let values = MLShapedArray<Float>(converting: array).scalars
                outputs[role] = Tensor(try checkOutput(artifact, index, values.count), values)
            }
            return outputs
        }

        private func fill(_ tensor: [UInt8], _ channels: Int, width: Int) throws {
            CVPixelBufferLockBaseAddress(image, [])
            defer { CVPixelBufferUnlockBaseAddress(image, []) }
            guard let start = CVPixelBufferGetBaseAddress(image) else {
                throw SamesightError("artifact \(artifact.name): its image has no memory; load it again")
            }
            let memory = UnsafeMutableRawBufferPointer(start: start, count: CVPixelBufferGetDataSize(image))
            packBgra(tensor, channels, width: width, into: memory, rowStride: CVPixelBufferGetBytesPerRow(image))
        }

        func close() { model = nil }
    }
#endif
