import AVFoundation
import Contract
import Screens

/// Why a camera gives no frames.
enum CameraProblem: Error {
    case absent
    case failed(String)
}

/// Frames of one camera, 420f of about 640 x 480, as the sensor gives them; only the newest is kept.
///
/// 420f is what cameras make: 32BGRA would be one more pass over every frame before the contract's own.
actor CameraFeed {
    nonisolated let session = AVCaptureSession()
    private let output = AVCaptureVideoDataOutput()
    private let receiver = FrameReceiver()
    private var device: AVCaptureDevice?
    private var rotation: AVCaptureDevice.RotationCoordinator?

    /// Begins to give frames; the permission was granted. Those of an earlier start end.
    ///
    /// - Parameter front: of the camera that looks at the person, where there is a choice.
    func start(front: Bool) throws -> (Lens, AsyncStream<CameraFrame>) {
        let wanted: AVCaptureDevice.Position = front ? .front : .back
        guard let device = camera(wanted) ?? camera(front ? .back : .front) else { throw CameraProblem.absent }
        session.beginConfiguration()
        defer { session.commitConfiguration() }
        if session.canSetSessionPreset(.vga640x480) { session.sessionPreset = .vga640x480 }
        for input in session.inputs { session.removeInput(input) }
        let input = try AVCaptureDeviceInput(device: device)
        if !session.canAddInput(input) {
            throw CameraProblem.failed(localized("another app took the camera; close it, then try again"))
        }
        session.addInput(input)
        if session.outputs.isEmpty {
            output.alwaysDiscardsLateVideoFrames = true
            output.videoSettings = [
                kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
            ]
            output.setSampleBufferDelegate(receiver, queue: receiver.queue)
            if !session.canAddOutput(output) {
                throw CameraProblem.failed(localized("the camera gives no frames; choose a photo instead"))
            }
            session.addOutput(output)
        }
        // Frames come as the sensor has them: the contract turns them, bit for bit.
        if let connection = output.connection(with: .video) {
            connection.automaticallyAdjustsVideoMirroring = false
            connection.isVideoMirrored = false
            if connection.isVideoRotationAngleSupported(0) { connection.videoRotationAngle = 0 }
        }
        self.device = device
        let rotation = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: nil)
        self.rotation = rotation
        let frames = receiver.begin(rotation, mirror: device.position == .front)
        Task { run() }
        return (lens(device), frames)
    }

    private func run() {
        if !session.isRunning { session.startRunning() }
    }

    /// Ends it and frees the camera for other apps; a second call does nothing.
    nonisolated func stop() { Task { await end() } }

    private func end() {
        receiver.end()
        if session.isRunning { session.stopRunning() }
    }

    /// Zooms, and lights the torch or puts it out.
    nonisolated func adjust(zoom: Float, torch: Bool) { Task { await set(zoom, torch) } }

    private func set(_ zoom: Float, _ torch: Bool) {
        guard let device, (try? device.lockForConfiguration()) != nil else { return }
        defer { device.unlockForConfiguration() }
        let most = device.maxAvailableVideoZoomFactor
        device.videoZoomFactor = min(max(CGFloat(zoom), device.minAvailableVideoZoomFactor), most)
        if device.hasTorch, device.isTorchModeSupported(.on) { device.torchMode = torch ? .on : .off }
    }

    private func camera(_ position: AVCaptureDevice.Position) -> AVCaptureDevice? {
        AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: position)
    }

    private func lens(_ device: AVCaptureDevice) -> Lens {
        Lens(
            switchable: camera(.front) != nil && camera(.back) != nil, torch: device.hasTorch,
            leastZoom: Float(device.minAvailableVideoZoomFactor),
            // More shows nothing but larger pixels.
            mostZoom: min(8, Float(device.maxAvailableVideoZoomFactor)))
    }
}

/// Takes frames on a queue of its own, and keeps the newest for whoever looks.
private final class FrameReceiver: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
    let queue = DispatchQueue(label: "samesight.camera", qos: .userInitiated)
    // Only ever used on `queue`.
    private var continuation: AsyncStream<CameraFrame>.Continuation?
    private var rotation: AVCaptureDevice.RotationCoordinator?
    private var mirror = false

    func begin(_ rotation: AVCaptureDevice.RotationCoordinator, mirror: Bool) -> AsyncStream<CameraFrame> {
        // Dropped, not queued: an answer about an old frame is of no use.
        let (stream, continuation) = AsyncStream.makeStream(of: CameraFrame.self, bufferingPolicy: .bufferingNewest(1))
        queue.async { [self] in
            self.continuation?.finish()
            self.continuation = continuation
            self.rotation = rotation
            self.mirror = mirror
        }
        return stream
    }

    func end() {
        queue.async { [self] in
            continuation?.finish()
            continuation = nil
        }
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput buffer: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        guard let continuation, let image = CMSampleBufferGetImageBuffer(buffer), let rotation else { return }
        let degrees = Int(rotation.videoRotationAngleForHorizonLevelCapture.rounded()) % 360
        guard let orientation = try? Orientation.fromRotation(degrees) else { return }
        continuation.yield(CameraFrame(PixelBufferFrame(image), orientation, mirror: mirror))
    }
}
