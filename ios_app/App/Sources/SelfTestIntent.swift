import AppIntents
import Foundation
import Screens

/// The self-test for Shortcuts, Siri and automations: as `samesight://self-test`, without a hand on the phone.
struct RunSelfTest: AppIntent {
    static let title: LocalizedStringResource = "Run the self-test"
    static let description = IntentDescription(
        "Runs the golden cases of the app's models on every unit of this phone, and gives device-parity.json of each.")
    // Units are tried while the app is in front: behind others it has no GPU.
    static let openAppWhenRun = true

    @Parameter(title: "Model", description: "Every model of the app if left out.")
    var model: String?

    @Dependency
    private var controller: Controller

    @MainActor
    func perform() async throws -> some IntentResult & ReturnsValue<[IntentFile]> {
        let written = await controller.testAll(into: URL.documentsDirectory.path, only: model)
        return .result(value: written.map { IntentFile(fileURL: URL(fileURLWithPath: $0)) })
    }
}

/// What Shortcuts and Spotlight offer of this app.
struct SelfTestShortcut: AppShortcutsProvider {
    static var appShortcuts: [AppShortcut] {
        AppShortcut(
            intent: RunSelfTest(), phrases: ["Run the self-test of \(.applicationName)"], shortTitle: "Self-test",
            systemImageName: "checkmark.seal")
    }
}
