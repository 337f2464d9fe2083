import CoreVideo

@_exported import CoreVideo
@_exported import Foundation

public typealias CGFloat = Foundation.CGFloat

public final class CMSampleBuffer {}
public func CMSampleBufferGetImageBuffer(_ buffer: CMSampleBuffer) -> CVPixelBuffer? { nil }

public struct AVMediaType: Sendable {
    public static let video = AVMediaType()
}

public final class AVCaptureDevice: Equatable, @unchecked Sendable {
    public static func == (a: AVCaptureDevice, b: AVCaptureDevice) -> Bool { a === b }
    public enum Position: Sendable { case unspecified, back, front }
    public enum TorchMode: Sendable { case off, on, auto }
    public struct DeviceType: Sendable { public static let builtInWideAngleCamera = DeviceType() }
    public static func `default`(_ type: DeviceType, for media: AVMediaType?, position: Position) -> AVCaptureDevice? { nil }
    public var position: Position { .back }
    public var hasTorch: Bool { false }
    public func isTorchModeSupported(_ mode: TorchMode) -> Bool { false }
    public var torchMode = TorchMode.off
    public var videoZoomFactor: CGFloat = 1
    public var minAvailableVideoZoomFactor: CGFloat { 1 }
    public var maxAvailableVideoZoomFactor: CGFloat { 1 }
    public func lockForConfiguration() throws {}
    public func unlockForConfiguration() {}

    public final class RotationCoordinator: @unchecked Sendable {
        public init(device: AVCaptureDevice, previewLayer: AnyObject?) {}
        public var videoRotationAngleForHorizonLevelCapture: CGFloat { 0 }
    }
}

public class AVCaptureInput {
    init() {}
}
public final class AVCaptureDeviceInput: AVCaptureInput {
    public init(device: AVCaptureDevice) throws { super.init() }
}
public class AVCaptureOutput {
    init() {}
    public func connection(with media: AVMediaType) -> AVCaptureConnection? { nil }
}
public final class AVCaptureConnection {
    public var automaticallyAdjustsVideoMirroring = true
    public var isVideoMirrored = false
    public var videoRotationAngle: CGFloat = 0
    public func isVideoRotationAngleSupported(_ angle: CGFloat) -> Bool { true }
}

public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObject {
    func captureOutput(_ output: AVCaptureOutput, didOutput buffer: CMSampleBuffer, from connection: AVCaptureConnection)
}

public final class AVCaptureVideoDataOutput: AVCaptureOutput {
    public override init() { super.init() }
    public var alwaysDiscardsLateVideoFrames = false
    public var videoSettings: [String: Any]?
    public func setSampleBufferDelegate(
        _ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?
    ) {}
}

public final class AVCaptureSession: @unchecked Sendable {
    public struct Preset: Sendable { public static let vga640x480 = Preset() }
    public init() {}
    public var sessionPreset = Preset.vga640x480
    public func canSetSessionPreset(_ preset: Preset) -> Bool { true }
    public func beginConfiguration() {}
    public func commitConfiguration() {}
    public var inputs: [AVCaptureInput] { [] }
    public var outputs: [AVCaptureOutput] { [] }
    public func canAddInput(_ input: AVCaptureInput) -> Bool { true }
    public func addInput(_ input: AVCaptureInput) {}
    public func removeInput(_ input: AVCaptureInput) {}
    public func canAddOutput(_ output: AVCaptureOutput) -> Bool { true }
    public func addOutput(_ output: AVCaptureOutput) {}
    public var isRunning: Bool { false }
    public func startRunning() {}
    public func stopRunning() {}
}
