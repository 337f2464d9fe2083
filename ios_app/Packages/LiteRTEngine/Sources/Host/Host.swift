import Contract
import Engines
import Foundation
import LiteRTEngine

/// `BUNDLE RESULTS LITERT_VERSION UNIT...`: the app's self-test on this computer and the real LiteRT.
@main
struct Host {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count > 3 else { fail("give BUNDLE RESULTS LITERT_VERSION UNIT...") }
        let words = Array(arguments)
        let units = words[3...].compactMap(ComputeUnit.init)
        do {
            let bundle = try openBundle(words[0])
            let process = ProcessInfo.processInfo
            let device = Device(
                app: "iOS app", device: "this computer", system: process.operatingSystemVersionString,
                runtimes: ["LiteRT": words[2]])
            let openers = ["litert": LiteRTOpener(threads: cpuThreads(process.activeProcessorCount))]
            let files = try await prepareAll(bundle, openers)
            let parity = try selfTest(bundle, files, openers, device, units: units) { done, all, next in
                FileHandle.standardOutput.write(Data("\(done) \(all) \(next)\n".utf8))
            }
            try Data(parity.toJson().utf8).write(to: URL(fileURLWithPath: words[1]))
        } catch {
            fail((error as? SamesightError)?.message ?? "\(error)")
        }
    }

    private static func fail(_ sentence: String) -> Never {
        FileHandle.standardError.write(Data("\(sentence)\n".utf8))
        exit(1)
    }
}
