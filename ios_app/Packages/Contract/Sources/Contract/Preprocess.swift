/// How pixels of the input tensor relate to the picture: turns boxes back.
public struct Geometry: Hashable, Sendable {
    public let frame: Frame
    public let orientation: Orientation

    /// Width of the stored image, in pixels.
    public var storedWidth: Int { orientation.uprightWidth(frame.sourceWidth, frame.sourceHeight) }

    /// Height of the stored image, in pixels.
    public var storedHeight: Int { orientation.uprightHeight(frame.sourceWidth, frame.sourceHeight) }

    /// A box in input pixels as a float32 box in pixels of the upright image, clipped to it (for drawing).
    public func toUpright(_ box: Box) -> Box { Box(frame.toUpright(box)) }

    /// A box in input pixels as a float32 box in pixels of the stored image, clipped to it.
    public func toStored(_ box: Box) -> Box {
        Box(orientation.toStored(frame.toUpright(box), storedWidth, storedHeight))
    }
}

/// The geometry of a stored image of `width` x `height` pixels, without touching pixels.
public func geometry(_ width: Int, _ height: Int, _ orientation: Orientation, _ spec: Input) -> Geometry {
    let upright = (orientation.uprightWidth(width, height), orientation.uprightHeight(width, height))
    return Geometry(frame: frame(upright.0, upright.1, spec), orientation: orientation)
}

/// The input tensor of a picture: uint8 [H, W, C] in 0...255 (C in the order of `spec.channels`); and the way back for
/// boxes.
public func preprocess(_ picture: Picture, _ spec: Input) -> (tensor: [UInt8], geometry: Geometry) {
    let preprocessor = Preprocessor(spec)
    let geometry = preprocessor.run(picture)
    return (preprocessor.tensor, geometry)
}

/// ``preprocess(_:_:)`` for one image after the other, such as a camera's: allocates only when size or orientation
/// change, and where an earlier `tensor` is still held.
///
/// Not for several threads at once.
public final class Preprocessor {
    /// uint8 [H, W, C], the input tensor of the last image.
    public private(set) var tensor: [UInt8]
    private let spec: Input
    private let pixelLines = PixelLines()
    private let frameLines = FrameLines()
    private var geometry: Geometry
    private var resizer: Resizer

    public init(_ spec: Input) {
        self.spec = spec
        tensor = [UInt8](repeating: 0, count: spec.height * spec.width * spec.channels.count)
        geometry = Contract.geometry(1, 1, .upright, spec)
        resizer = Resizer(geometry.frame, .upright, spec.filter, spec.channels)
        fillBorder()
    }

    /// Fills `tensor` from a picture.
    @discardableResult
    public func run(_ picture: Picture) -> Geometry {
        prepare(picture.width, picture.height, picture.orientation)
        picture.pixels.withUnsafeBufferPointer {
            if let start = $0.baseAddress { run(start, red: 0, pixelStride: 3, rowStride: 3 * picture.width) }
        }
        return geometry
    }

    /// Fills `tensor` from pixels of four bytes.
    ///
    /// - Throws: ``SamesightError`` a side out of range, or a buffer too short for its rows.
    @discardableResult
    public func run(_ frame: PixelFrame, _ orientation: Orientation) throws -> Geometry {
        try frame.check()
        prepare(frame.width, frame.height, orientation)
        if let start = frame.data.baseAddress?.assumingMemoryBound(to: UInt8.self) {
            run(start, red: frame.order == .bgra ? 2 : 0, pixelStride: 4, rowStride: frame.rowStride)
        }
        return geometry
    }

    /// Fills `tensor` from a camera frame: as ``yuv420ToRgb(_:_:_:)``, then as of a picture.
    ///
    /// - Throws: ``SamesightError`` an empty frame, or a plane too short for its strides.
    @discardableResult
    public func run(
        _ frame: Yuv420, _ matrix: YuvMatrix, _ range: YuvRange, _ orientation: Orientation
    ) throws -> Geometry {
        try frame.check()
        prepare(frame.width, frame.height, orientation)
        frameLines.begin(
            frame, matrix, range, byColumns: resizer.byColumns, first: resizer.first, length: resizer.length)
        tensor.withUnsafeMutableBufferPointer {
            if let tensor = $0.baseAddress { resizer.run(frameLines, tensor) }
        }
        frameLines.end()
        return geometry
    }

    private func run(_ pixels: UnsafePointer<UInt8>, red: Int, pixelStride: Int, rowStride: Int) {
        pixelLines.begin(
            pixels, red: red, pixelStride: pixelStride, rowStride: rowStride, byColumns: resizer.byColumns,
            first: resizer.first)
        tensor.withUnsafeMutableBufferPointer {
            if let tensor = $0.baseAddress { resizer.run(pixelLines, tensor) }
        }
        pixelLines.end()
    }

    private func prepare(_ width: Int, _ height: Int, _ orientation: Orientation) {
        if width == geometry.storedWidth && height == geometry.storedHeight && orientation == geometry.orientation {
            return
        }
        geometry = Contract.geometry(width, height, orientation, spec)
        resizer = Resizer(geometry.frame, orientation, spec.filter, spec.channels)
        fillBorder()
    }

    /// Grey of equal channels is their level, so the border needs no conversion.
    private func fillBorder() {
        let pad = UInt8(geometry.frame.pad)
        for place in tensor.indices { tensor[place] = pad }
    }
}

/// Levels of RGB as bytes of a tensor; grey is Pillow's L: ITU-R 601-2 in 16-bit fixed point.
///
/// - Parameter into: takes the bytes of pixel i from i * `step` on.
func toChannels(_ pixels: Line, _ channels: Channels, _ into: UnsafeMutablePointer<UInt8>, step: Int) {
    let (red, green, blue) = (pixels.red, pixels.green, pixels.blue)
    var at = into
    if channels == .grey {
        for i in 0..<pixels.count {
            let grey = (19595 &* red[i] &+ 38470 &* green[i] &+ 7471 &* blue[i] &+ 32768) >> 16
            at[0] = UInt8(truncatingIfNeeded: grey)
            at += step
        }
        return
    }
    let (first, last) = channels == .bgr ? (blue, red) : (red, blue)
    for i in 0..<pixels.count {
        at[0] = UInt8(truncatingIfNeeded: first[i])
        at[1] = UInt8(truncatingIfNeeded: green[i])
        at[2] = UInt8(truncatingIfNeeded: last[i])
        at += step
    }
}
