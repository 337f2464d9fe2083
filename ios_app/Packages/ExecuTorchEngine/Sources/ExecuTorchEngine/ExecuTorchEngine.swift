#if canImport(ExecuTorch)
    import Contract
    import Engines
    import ExecuTorch

    private let format = "executorch"
    private let method = "forward"

    // A delegate's program is compiled for its unit when it is exported: no other unit can run it, but for Core ML's, which
    // chooses by itself.
    private let units: [String: ComputeUnit] = ["XnnpackBackend": .cpu, "CoreMLBackend": .npu, "MPSBackend": .gpu]

    /// ExecuTorch's `Module`. The unit was chosen when the program was exported; another one is refused.
    public struct ExecuTorchOpener: Opener {
        public init() {}

        public func open(_ file: ArtifactFile, _ unit: ComputeUnit, _ mode: Mode) throws -> any Engine {
            try checkFormat(file, format)
            let artifact = file.artifact
            if artifact.inputLayout != .float32Nchw {
                throw SamesightError("artifact \(artifact.name): ExecuTorch programs take float32 NCHW here")
            }
            do {
                // Pages of the file, and not a copy of it in memory.
                let module = Module(filePath: file.path, loadMode: .mmap)
                try module.load(method)
                let delegates = Array(Set(try module.methodMetadata(method).backendNames)).sorted()
                try checkUnit(artifact, delegates, unit)
                return try ExecuTorchEngine(artifact, module, delegates, unit)
            } catch let refused as SamesightError {
                throw refused
            } catch {
                throw SamesightError("\(file.path): ExecuTorch refuses: \(error.localizedDescription)")
            }
        }
    }

    private func checkUnit(_ artifact: Artifact, _ delegates: [String], _ unit: ComputeUnit) throws {
        // What stands outside of delegates runs on the CPU.
        let exported = delegates.isEmpty ? [.cpu] : Set(delegates.map { units[$0] ?? artifact.unit })
        if exported == [unit] { return }
        let names = delegates.isEmpty ? "none" : delegates.joined(separator: ", ")
        let wanted = exported.map(\.name).sorted().joined(separator: ", ")
        throw SamesightError(
            "artifact \(artifact.name): was exported for \(wanted) (delegates: \(names)), not for \(unit.name)")
    }

    private final class ExecuTorchEngine: Engine {
        let certain: Bool
        let operations: Int? = nil
        let delegates: [String]
        private let artifact: Artifact
        private let roles: [Role]
        private var module: Module?
        private var floats: [Float]

        init(_ artifact: Artifact, _ module: Module, _ delegates: [String], _ unit: ComputeUnit) throws {
            self.artifact = artifact
            self.module = module
            self.delegates = delegates
            roles = try outputRoles(artifact)
            // Core ML inside of a program chooses its unit by itself.
            certain = unit == .cpu || artifact.delegated == 1 && !delegates.contains("CoreMLBackend")
            floats = [Float](repeating: 0, count: inputSize(artifact))
        }

        func run(_ tensor: [UInt8]) throws -> [Role: Contract.Tensor] {
            try checkOpen(artifact, module != nil)
            guard let module else { return [:] }
            try checkInput(artifact, tensor)
            pack(tensor, artifact.input.shape[1], artifact.inputLayout, into: &floats)
            let results: [Value]
            do {
                results = try module.forward(ExecuTorch.Tensor<Float>(floats, shape: artifact.input.shape))
            } catch {
                throw SamesightError("artifact \(artifact.name): ExecuTorch refuses: \(error.localizedDescription)")
            }
            if results.count != roles.count {
                throw SamesightError(
                    "artifact \(artifact.name): returned \(results.count) values, the manifest says \(roles.count); "
                        + "make it anew")
            }
            var outputs: [Role: Contract.Tensor] = [:]
            for (index, role) in roles.enumerated() {
                guard let result: ExecuTorch.Tensor<Float> = results[index].tensor() else {
                    throw SamesightError(
                        "artifact \(artifact.name): output \(index) is no float32 tensor; make it anew")
                }
                let values = result.scalars()
                outputs[role] = Contract.Tensor(try checkOutput(artifact, index, values.count), values)
            }
            return outputs
        }

        func close() { module = nil }
    }
#endif
