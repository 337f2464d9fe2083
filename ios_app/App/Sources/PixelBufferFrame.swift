import Contract
import CoreVideo
import Screens

/// A frame's memory, read where it is. Nobody writes a buffer that the camera gave away, until it was let go.
struct PixelBufferFrame: FramePixels, @unchecked Sendable {
    private let buffer: CVPixelBuffer

    init(_ buffer: CVPixelBuffer) {
        self.buffer = buffer
    }

    var width: Int { CVPixelBufferGetWidth(buffer) }

    var height: Int { CVPixelBufferGetHeight(buffer) }

    func prepare(_ preprocessor: Preprocessor, _ orientation: Orientation) throws -> Geometry {
        try locked { frame, matrix, range in try preprocessor.run(frame, matrix, range, orientation) }
    }

    func rgb() throws -> [UInt8] { try locked { frame, matrix, range in try yuv420ToRgb(frame, matrix, range) } }

    private func locked<T>(_ act: (Yuv420, YuvMatrix, YuvRange) throws -> T) throws -> T {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        let frame = Yuv420(width, height, y: try plane(0), cbCr: try plane(1))
        return try act(frame, matrix, try range())
    }

    private func plane(_ index: Int) throws -> Plane {
        guard let start = CVPixelBufferGetBaseAddressOfPlane(buffer, index) else {
            throw SamesightError("the camera's frame has no plane \(index); restart the device")
        }
        let rowStride = CVPixelBufferGetBytesPerRowOfPlane(buffer, index)
        let count = rowStride * CVPixelBufferGetHeightOfPlane(buffer, index)
        return Plane(UnsafeRawBufferPointer(start: start, count: count), rowStride: rowStride)
    }

    private func range() throws -> YuvRange {
        switch CVPixelBufferGetPixelFormatType(buffer) {
        case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange: return .full
        case kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange: return .video
        case let other:
            throw SamesightError("the camera gives pixels of kind \(other), not 420f; choose a photo instead")
        }
    }

    /// What the frame says of itself; cameras of this size without a word have BT.601.
    private var matrix: YuvMatrix {
        let told = CVBufferCopyAttachment(buffer, kCVImageBufferYCbCrMatrixKey, nil) as? String
        return told == kCVImageBufferYCbCrMatrix_ITU_R_709_2 as String ? .bt709 : .bt601
    }
}
