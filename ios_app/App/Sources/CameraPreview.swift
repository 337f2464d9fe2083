import AVFoundation
import SwiftUI

/// The camera's moving image without a detour through this app, upright.
struct CameraPreview: UIViewRepresentable {
    let session: AVCaptureSession

    func makeUIView(context: Context) -> PreviewView {
        let view = PreviewView()
        view.preview?.session = session
        view.preview?.videoGravity = .resizeAspect
        return view
    }

    func updateUIView(_ view: PreviewView, context: Context) { view.turn() }
}

final class PreviewView: UIView {
    private var rotation: AVCaptureDevice.RotationCoordinator?
    private var watched: NSKeyValueObservation?

    override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

    var preview: AVCaptureVideoPreviewLayer? { layer as? AVCaptureVideoPreviewLayer }

    override func layoutSubviews() {
        super.layoutSubviews()
        turn()
    }

    func turn() {
        guard let preview, let input = preview.session?.inputs.first as? AVCaptureDeviceInput else { return }
        if rotation?.device != input.device {
            let rotation = AVCaptureDevice.RotationCoordinator(device: input.device, previewLayer: preview)
            self.rotation = rotation
            watched = rotation.observe(\.videoRotationAngleForHorizonLevelPreview) { [weak self] _, _ in
                Task { @MainActor in self?.turn() }
            }
        }
        let angle = rotation?.videoRotationAngleForHorizonLevelPreview ?? 0
        if let connection = preview.connection, connection.isVideoRotationAngleSupported(angle) {
            connection.videoRotationAngle = angle
        }
    }
}
