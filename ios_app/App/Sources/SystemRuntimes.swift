import Contract
import Engines
import Foundation
import Screens
import UIKit

#if canImport(LiteRTEngine)
    import LiteRTEngine
#endif
#if canImport(ExecuTorchEngine)
    import ExecuTorchEngine
#endif

/// What runs artifacts on this phone.
struct SystemRuntimes: Runtimes {
    let openers: [String: any Opener]
    let device: Device
    let notes: TrialNotes?
    let system: String

    @MainActor
    init() {
        var openers: [String: any Opener] = [
            "coreml": WatchedOpener(CoreMLOpener(cache: URL.cachesDirectory.appending(path: "coreml").path))
        ]
        system = UIDevice.current.systemVersion
        var runtimes = ["Core ML": system]
        #if canImport(CoreAI)
            if #available(iOS 27.0, *) {
                openers["coreai"] = WatchedOpener(CoreAIOpener())
                runtimes["Core AI"] = system
            }
        #endif
        #if canImport(LiteRTEngine)
            let threads = cpuThreads(ProcessInfo.processInfo.activeProcessorCount)
            openers["litert"] = WatchedOpener(LiteRTOpener(threads: threads))
            runtimes["LiteRT"] = "2.3"
        #endif
        #if canImport(ExecuTorchEngine)
            openers["executorch"] = WatchedOpener(ExecuTorchOpener())
            runtimes["ExecuTorch"] = "1.5.1"
        #endif
        self.openers = openers
        let version = Bundle.main.object(forInfoDictionaryKey: "CFBundleShortVersionString") as? String ?? "0"
        let build = ProcessInfo.processInfo.operatingSystemVersionString
        device = Device(
            app: "iOS app \(version)", device: "Apple \(model())", system: "iOS \(system)", runtimes: runtimes)
        var folder = URL.applicationSupportDirectory.appending(path: "units")
        notes = TrialNotes(folder.path, system: "\(version) \(build)")
        // Another phone has other drivers.
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try? folder.setResourceValues(values)
    }
}

/// Such as `iPhone16,1`.
private func model() -> String {
    var info = utsname()
    uname(&info)
    return withUnsafeBytes(of: &info.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// What a person chose, in the app's settings.
@MainActor
final class KeptChoices: Memory {
    private let defaults = UserDefaults.standard

    var choices: Choices {
        get {
            Choices(
                bundle: defaults.string(forKey: "bundle"), artifact: defaults.string(forKey: "artifact"),
                unit: defaults.string(forKey: "unit").flatMap(ComputeUnit.init))
        }
        set {
            defaults.set(newValue.bundle, forKey: "bundle")
            defaults.set(newValue.artifact, forKey: "artifact")
            defaults.set(newValue.unit?.rawValue, forKey: "unit")
        }
    }
}
