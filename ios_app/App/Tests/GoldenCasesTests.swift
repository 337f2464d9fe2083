import Contract
import Engines
import Foundation
import Testing

/// The golden cases of every bundle of the app through real Core ML, and Core AI where it is, on the simulator's CPU.
struct GoldenCasesTests {
    @Test func everyBundleOfTheAppHasTheServersAnswers() async throws {
        let folder = "\(Bundle.main.resourcePath ?? "")/bundles"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }
        try #require(!names.isEmpty, "samesight install BUNDLE ios_app")
        for name in names {
            let bundle = try openBundle("\(folder)/\(name)")
            let openers = ["coreml": CoreMLOpener(cache: URL.cachesDirectory.appending(path: "tests").path)]
            let files = try await prepareAll(bundle, openers)
            let device = Device(app: "iOS app", device: "simulator", system: "iOS", runtimes: [:])
            let parity = try selfTest(bundle, files, openers, device, units: [.cpu])
            let judgement = try judge(parity.runs, bundle.goldenCases(), bundle.manifest.artifacts)
            #expect(judgement.failures == [])
        }
    }
}
