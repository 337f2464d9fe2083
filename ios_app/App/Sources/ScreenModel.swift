import AVFoundation
import AppIntents
import Foundation
import Observation
import Screens
import SwiftUI
import UIKit

/// Joins the controller with the system: life cycle, permissions, files, memory and heat.
@MainActor
@Observable
final class ScreenModel {
    private(set) var state: Screens.State
    private(set) var image: Pixels?
    var opensBundle = false
    let camera = CameraFeed()
    @ObservationIgnored private let controller: Controller
    /// Nobody looks: memory that is given back now comes back with them.
    @ObservationIgnored private var isHidden = false
    @ObservationIgnored private var looking: Task<Void, Never>?
    @ObservationIgnored private var watching: [Task<Void, Never>] = []

    init() {
        let files = URL.applicationSupportDirectory
        controller = Controller(
            shelf: Bundles(resources: Bundle.main.resourcePath ?? "", files: files.path), runtimes: SystemRuntimes(),
            photos: PhotoReader(), memory: KeptChoices())
        state = controller.moment.state
        controller.listener = { [weak self] moment in
            self?.state = moment.state
            self?.image = moment.image
        }
        let controller = controller
        AppDependencyManager.shared.add(dependency: controller)
        controller.start()
        watch(UIApplication.didReceiveMemoryWarningNotification) { $0.controller.release(hidden: $0.isHidden) }
        watch(ProcessInfo.thermalStateDidChangeNotification) { $0.heat() }
        heat()
    }

    /// The self-test's screen is shown.
    var testing: Bool {
        get { state.testing }
        set { send(newValue ? .showSelfTest : .back) }
    }

    func send(_ event: Event) {
        controller.onEvent(event)
        switch event {
        case .switchCamera, .retryCamera, .useCamera, .resume: startCamera()
        case .zoomBy, .zoomTo, .torch: camera.adjust(zoom: state.zoom, torch: state.torch)
        default: break
        }
    }

    var results: URL? {
        guard let text = controller.results else { return nil }
        let file = URL.temporaryDirectory.appending(path: "device-parity-\(state.bundle ?? "model").json")
        do {
            try Data(text.utf8).write(to: file)
            return file
        } catch {
            return nil
        }
    }

    // MARK: - Life cycle

    func phaseIs(_ phase: ScenePhase) {
        switch phase {
        case .active:
            isHidden = false
            controller.wake()
            startCamera()
        case .background:
            camera.stop()
            looking?.cancel()
            isHidden = true
        default: break
        }
    }

    /// `samesight://self-test` runs the self-test of every bundle and keeps the results in the app's documents, where
    /// `xcrun devicectl device copy from` finds them.
    func open(_ url: URL) {
        if url.isFileURL { return take(url) }
        if url.host() != "self-test" {
            return controller.problem(localized("%@: this app knows samesight://self-test alone", "\(url)"))
        }
        Task { _ = await controller.testAll(into: URL.documentsDirectory.path) }
    }

    private func watch(_ name: Notification.Name, _ act: @escaping @MainActor (ScreenModel) -> Void) {
        watching.append(
            Task { [weak self] in
                for await _ in NotificationCenter.default.notifications(named: name).map({ _ in () }) {
                    guard let self else { return }
                    act(self)
                }
            })
    }

    private func heat() {
        let heat = ProcessInfo.processInfo.thermalState
        controller.heatIs(heat == .serious || heat == .critical)
    }

    // MARK: - Camera

    func startCamera() {
        switch AVCaptureDevice.authorizationStatus(for: .video) {
        case .authorized: runCamera()
        case .notDetermined: controller.cameraIs(.asked)
        default: controller.cameraIs(.denied)
        }
    }

    func allowCamera() {
        if state.camera == .denied {
            if let settings = URL(string: UIApplication.openSettingsURLString) { UIApplication.shared.open(settings) }
            return
        }
        Task {
            _ = await AVCaptureDevice.requestAccess(for: .video)
            startCamera()
        }
    }

    private func runCamera() {
        looking?.cancel()
        let front = state.front
        looking = Task {
            do {
                let (lens, frames) = try await camera.start(front: front)
                controller.cameraIs(.on)
                controller.lensIs(lens)
                for await frame in frames {
                    if Task.isCancelled { return }
                    await controller.onFrame(frame)
                }
            } catch CameraProblem.absent {
                controller.cameraIs(.absent)
            } catch CameraProblem.failed(let sentence) {
                controller.cameraIs(.failed(sentence))
            } catch {
                controller.cameraIs(
                    .failed(
                        localized("the camera failed (%@); close other apps that use it", error.localizedDescription)))
            }
        }
    }

    // MARK: - Files

    func picked(_ result: Result<URL, any Error>) {
        switch result {
        case .success(let url): take(url)
        case .failure(let error):
            controller.problem(localized("the file cannot be opened (%@); pick it again", error.localizedDescription))
        }
    }

    private func take(_ url: URL) {
        let isOutside = url.startAccessingSecurityScopedResource()
        controller.onBundle(Picked(name: url.lastPathComponent, path: url.path))
        Task {
            await controller.settled()
            if isOutside { url.stopAccessingSecurityScopedResource() }
        }
    }

    func photo(_ data: Data?, _ name: String) {
        guard let data else { return controller.problem(localized("%@: cannot be read; choose it again", name)) }
        let file = URL.temporaryDirectory.appending(path: "photo")
        do {
            try data.write(to: file)
            controller.onPhoto(Picked(name: name, path: file.path))
        } catch {
            controller.problem(localized("%@: cannot be kept (%@); make room", name, error.localizedDescription))
        }
    }
}
