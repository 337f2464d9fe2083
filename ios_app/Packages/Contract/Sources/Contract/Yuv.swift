/// The standard whose coefficients a camera's YUV has.
public enum YuvMatrix: String, CaseIterable, Sendable {
    case bt601, bt709
}

/// Whether black is 16 and white 235 (video, as in `420v`), or 0 and 255 (full, as in `420f`).
public enum YuvRange: String, CaseIterable, Sendable {
    case video, full

    var black: Int32 { self == .video ? 16 : 0 }
}

/// A frame in one buffer without padding: y, then u and v; or u and v in turn; or v and u in turn.
public enum YuvLayout: String, CaseIterable, Sendable {
    case i420, nv12, nv21
}

let roundingHalf: Int32 = 1 << 15

/// Coefficients times 65536, rounded to nearest (ITU-R BT.601-7 and BT.709-6).
struct ToRgb {
    let y: Int32
    let redV: Int32
    let greenU: Int32
    let greenV: Int32
    let blueU: Int32

    static func of(_ matrix: YuvMatrix, _ range: YuvRange) -> ToRgb {
        switch (matrix, range) {
        case (.bt601, .video): ToRgb(y: 76309, redV: 104597, greenU: 25675, greenV: 53279, blueU: 132201)
        case (.bt601, .full): ToRgb(y: 65536, redV: 91881, greenU: 22553, greenV: 46802, blueU: 116130)
        case (.bt709, .video): ToRgb(y: 76309, redV: 117489, greenU: 13975, greenV: 34925, blueU: 138438)
        case (.bt709, .full): ToRgb(y: 65536, redV: 103206, greenU: 12276, greenV: 30679, blueU: 121609)
        }
    }
}

/// The shares of red, green and blue in y, in u and in v; the green one takes the rounding so that grey stays neutral.
private func toYuv(_ matrix: YuvMatrix, _ range: YuvRange) -> [Int32] {
    switch (matrix, range) {
    case (.bt601, .video): [16829, 33039, 6416, -9714, -19070, 28784, 28784, -24103, -4681]
    case (.bt601, .full): [19595, 38470, 7471, -11058, -21710, 32768, 32768, -27439, -5329]
    case (.bt709, .video): [11966, 40254, 4064, -6596, -22188, 28784, 28784, -26145, -2639]
    case (.bt709, .full): [13933, 46871, 4732, -7509, -25259, 32768, 32768, -29763, -3005]
    }
}

/// One plane of a frame: sample (x, y) is byte `offset` + y * `rowStride` + x * `pixelStride` of `data`, which has to
/// outlive the call that it is given to.
public struct Plane {
    public let data: UnsafeRawBufferPointer
    public let rowStride: Int
    public let pixelStride: Int
    public let offset: Int

    public init(_ data: UnsafeRawBufferPointer, rowStride: Int, pixelStride: Int = 1, offset: Int = 0) {
        self.data = data
        self.rowStride = rowStride
        self.pixelStride = pixelStride
        self.offset = offset
    }
}

/// A frame of `width` x `height` pixels: `y` at full size, `u` (Cb) and `v` (Cr) at half of it, halves rounded up.
///
/// The last row of a plane may end with its last sample.
public struct Yuv420 {
    public let width: Int
    public let height: Int
    public let y: Plane
    public let u: Plane
    public let v: Plane

    public init(_ width: Int, _ height: Int, y: Plane, u: Plane, v: Plane) {
        self.width = width
        self.height = height
        self.y = y
        self.u = u
        self.v = v
    }

    /// A bi-planar frame, as a `CVPixelBuffer` of the kinds `420v` and `420f` has: y, then Cb and Cr in turn.
    ///
    /// - Parameters:
    ///   - y: with the bytes per row of plane 0.
    ///   - cbCr: with the bytes per row of plane 1.
    public init(_ width: Int, _ height: Int, y: Plane, cbCr: Plane) {
        func chroma(_ place: Int) -> Plane {
            Plane(cbCr.data, rowStride: cbCr.rowStride, pixelStride: 2, offset: cbCr.offset + place)
        }
        self.init(width, height, y: y, u: chroma(0), v: chroma(1))
    }

    /// - Throws: ``SamesightError`` the frame is empty, or a plane too short for its strides.
    func check() throws {
        if width < 1 || height < 1 {
            throw SamesightError("a frame has sides of at least 1 pixel, not \(width) x \(height)")
        }
        try check(y, width, height, "y")
        try check(u, chromaSize(width), chromaSize(height), "u")
        try check(v, chromaSize(width), chromaSize(height), "v")
    }

    private func check(_ plane: Plane, _ width: Int, _ height: Int, _ name: String) throws {
        let row = (width - 1) * plane.pixelStride + 1
        if plane.pixelStride < 1 || plane.rowStride < row {
            throw SamesightError(
                "plane \(name): a row of \(width) samples does not fit row stride \(plane.rowStride) "
                    + "with pixel stride \(plane.pixelStride)")
        }
        let length = plane.data.count - plane.offset
        let needed = (height - 1) * plane.rowStride + row
        if plane.offset < 0 || length < needed {
            throw SamesightError(
                "plane \(name): \(length) bytes, but \(width) x \(height) samples with row stride \(plane.rowStride) "
                    + "and pixel stride \(plane.pixelStride) need \(needed)")
        }
    }
}

/// Width of u and v of a frame of that width; likewise height.
public func chromaSize(_ side: Int) -> Int { (side + 1) / 2 }

/// A frame in one buffer without padding.
///
/// - Throws: ``SamesightError`` the buffer has another length than width * height + 2 * chroma width * chroma height.
public func yuv420FromBytes(
    _ data: UnsafeRawBufferPointer, _ width: Int, _ height: Int, _ layout: YuvLayout
) throws -> Yuv420 {
    let across = chromaSize(width)
    let luma = width * height
    let chroma = across * chromaSize(height)
    if data.count != luma + 2 * chroma {
        throw SamesightError(
            "a \(layout.rawValue) frame of \(width) x \(height) has \(luma + 2 * chroma) bytes, this one \(data.count); "
                + "check its size")
    }
    let y = Plane(data, rowStride: width)
    func plane(_ offset: Int) -> Plane {
        Plane(
            data, rowStride: layout == .i420 ? across : 2 * across, pixelStride: layout == .i420 ? 1 : 2, offset: offset
        )
    }
    return switch layout {
    case .i420: Yuv420(width, height, y: y, u: plane(luma), v: plane(luma + chroma))
    case .nv12: Yuv420(width, height, y: y, u: plane(luma), v: plane(luma + 1))
    case .nv21: Yuv420(width, height, y: y, u: plane(luma + 1), v: plane(luma))
    }
}

/// The frame as RGB bytes [H, W, 3]; a pixel takes the nearest chroma sample (x div 2, y div 2).
///
/// - Throws: ``SamesightError`` an empty frame, or a plane too short for its strides.
public func yuv420ToRgb(_ frame: Yuv420, _ matrix: YuvMatrix = .bt601, _ range: YuvRange = .video) throws -> [UInt8] {
    try frame.check()
    let rows = FrameLines()
    rows.begin(frame, matrix, range, byColumns: false, first: 0, length: frame.width)
    let row = Line(frame.width)
    var result = [UInt8](repeating: 0, count: 3 * frame.width * frame.height)
    result.withUnsafeMutableBufferPointer {
        guard let start = $0.baseAddress else { return }
        for y in 0..<frame.height {
            rows.read(y, row)
            toChannels(row, .rgb, start + 3 * frame.width * y, step: 3)
        }
    }
    return result
}

/// RGB bytes [H, W, 3] as one buffer without padding: test frames.
///
/// Chroma comes from the mean of each 2 x 2 block, (sum + 2) div 4; odd sides repeat their last column and row.
public func rgbToYuv420(
    _ pixels: [UInt8], _ width: Int, _ height: Int, _ layout: YuvLayout, _ matrix: YuvMatrix = .bt601,
    _ range: YuvRange = .video
) -> [UInt8] {
    let shares = toYuv(matrix, range)
    let across = chromaSize(width)
    let chroma = across * chromaSize(height)
    let luma = width * height
    var result = [UInt8](repeating: 0, count: luma + 2 * chroma)
    func weighted(_ level: (Int) -> Int32, _ first: Int, _ offset: Int32) -> UInt8 {
        let total =
            (shares[first] * level(0) + shares[first + 1] * level(1) + shares[first + 2] * level(2) + roundingHalf)
            >> 16
        return UInt8(clamp(total + offset))
    }
    for i in 0..<luma { result[i] = weighted({ Int32(pixels[3 * i + $0]) }, 0, range.black) }
    let step = layout == .i420 ? 1 : 2
    let u = luma + (layout == .nv21 ? 1 : 0)
    let v = luma + (layout == .i420 ? chroma : layout == .nv12 ? 1 : 0)
    for i in 0..<chroma {
        let (left, upper) = (2 * (i % across), 2 * (i / across))
        let right = min(left + 1, width - 1)
        let lower = min(upper + 1, height - 1)
        func mean(_ channel: Int) -> Int32 {
            func level(_ x: Int, _ y: Int) -> Int32 { Int32(pixels[3 * (y * width + x) + channel]) }
            return (level(left, upper) + level(right, upper) + level(left, lower) + level(right, lower) + 2) >> 2
        }
        result[u + step * i] = weighted(mean, 3, 128)
        result[v + step * i] = weighted(mean, 6, 128)
    }
    return result
}
