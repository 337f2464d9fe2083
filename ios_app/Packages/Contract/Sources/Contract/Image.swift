/// JPEG's limit; keeps every integer of the framing within 31 bits.
public let maxSide = 65_535

/// An image as stored, 8-bit RGB, and how it is turned upright. Decoding files is the system's work.
public struct Picture: Sendable {
    /// RGB bytes [height, width, 3], sRGB.
    public let pixels: [UInt8]
    /// Of the stored image, 1...65535.
    public let width: Int
    /// Of the stored image, 1...65535.
    public let height: Int
    /// What makes it upright.
    public let orientation: Orientation

    /// - Throws: ``SamesightError`` a side out of range, or another number of bytes.
    public init(_ pixels: [UInt8], _ width: Int, _ height: Int, _ orientation: Orientation = .upright) throws {
        try checkSides(width, height)
        if pixels.count != 3 * width * height {
            throw SamesightError(
                "a picture of \(width) x \(height) has \(3 * width * height) bytes of RGB, not \(pixels.count)")
        }
        self.pixels = pixels
        self.width = width
        self.height = height
        self.orientation = orientation
    }

    /// The pixels as a person sees them: RGB bytes [H', W', 3].
    public func upright() -> [UInt8] { orientation.upright(pixels, width, height) }
}

private func checkSides(_ width: Int, _ height: Int) throws {
    if !(1...maxSide).contains(width) || !(1...maxSide).contains(height) {
        throw SamesightError("a picture has sides of 1 to \(maxSide) pixels, not \(width) x \(height)")
    }
}

/// The order of a pixel's four bytes; the fourth, alpha, is not looked at.
public enum PixelOrder: String, CaseIterable, Sendable {
    case bgra, rgba
}

/// An image in four bytes a pixel and rows with padding, as a `CVPixelBuffer` of the kind `32BGRA` has; `data` has to
/// outlive the call that it is given to.
public struct PixelFrame {
    public let width: Int
    public let height: Int
    public let data: UnsafeRawBufferPointer
    /// Bytes from a row to the next.
    public let rowStride: Int
    public let order: PixelOrder

    public init(_ width: Int, _ height: Int, _ data: UnsafeRawBufferPointer, rowStride: Int, order: PixelOrder) {
        self.width = width
        self.height = height
        self.data = data
        self.rowStride = rowStride
        self.order = order
    }

    /// - Throws: ``SamesightError`` a side out of range, or a buffer too short for its rows.
    func check() throws {
        try checkSides(width, height)
        if rowStride < 4 * width {
            throw SamesightError(
                "a row of \(width) pixels has \(4 * width) bytes and does not fit row stride \(rowStride)")
        }
        let needed = (height - 1) * rowStride + 4 * width
        if data.count < needed {
            throw SamesightError(
                "\(data.count) bytes, but \(width) x \(height) pixels with row stride \(rowStride) need \(needed)")
        }
    }
}

/// RGB bytes [H, W, 3] of pixels with alpha over a colour: (p * a + b * (255 - a) + 127) div 255, per channel.
///
/// - Parameters:
///   - rgba: bytes [H, W, 4], not premultiplied.
///   - background: RGB, each 0...255: the spec's `input.background`.
public func over(_ rgba: [UInt8], _ background: [Int]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: rgba.count / 4 * 3)
    for i in 0..<rgba.count / 4 {
        let alpha = Int(rgba[4 * i + 3])
        for c in 0..<3 {
            result[3 * i + c] = UInt8((Int(rgba[4 * i + c]) * alpha + background[c] * (255 - alpha) + 127) / 255)
        }
    }
    return result
}

/// The lines of pixels for a ``Resizer``.
final class PixelLines: Lines {
    private var start: UnsafePointer<UInt8>?
    private var along = 0
    private var between = 0
    private var red = 0
    private var blue = 2

    /// Asks for columns or rows, from their pixel `first` on; green is byte 1 of a pixel.
    ///
    /// - Parameters:
    ///   - red: which byte of a pixel is red: 0, or 2 where blue comes first.
    ///   - pixelStride: bytes from a pixel to the next.
    func begin(
        _ pixels: UnsafePointer<UInt8>, red: Int, pixelStride: Int, rowStride: Int, byColumns: Bool, first: Int
    ) {
        along = byColumns ? rowStride : pixelStride
        between = byColumns ? pixelStride : rowStride
        start = pixels + first * along
        self.red = red
        blue = 2 - red
    }

    /// Forgets the pixels, whose memory may end after a call.
    func end() {
        start = nil
    }

    func read(_ index: Int, _ line: Line) {
        guard let start else { return }
        let at = start + index * between
        for i in 0..<line.count {
            line.red[i] = Int32(at[i * along + red])
            line.green[i] = Int32(at[i * along + 1])
            line.blue[i] = Int32(at[i * along + blue])
        }
    }
}
