// EXIF 2.32, tag 274: the value is the place here plus one; quarter turns clockwise, then mirrored left to right.
private let exifValues: [(turns: Int, mirrored: Bool)] = [
    (0, false), (0, true), (2, false), (2, true), (1, true), (1, false), (3, true), (3, false),
]

/// What makes a stored image upright: `quarterTurns` clockwise (0...3), then left-right `mirrored` or not.
public struct Orientation: Hashable, Sendable {
    public let quarterTurns: Int
    public let mirrored: Bool

    /// - Throws: ``SamesightError`` other than 0, 1, 2 or 3 quarter turns.
    public init(quarterTurns: Int, mirrored: Bool = false) throws {
        if !(0...3).contains(quarterTurns) {
            throw SamesightError("an orientation has 0, 1, 2 or 3 quarter turns, not \(quarterTurns)")
        }
        self.init(turns: quarterTurns, mirrored)
    }

    private init(turns: Int, _ mirrored: Bool) {
        quarterTurns = turns
        self.mirrored = mirrored
    }

    /// Stored as seen.
    public static let upright = Orientation(turns: 0, false)

    /// The orientation of an EXIF value; anything but 1...8 counts as 1, upright, as in every viewer.
    public static func fromExif(_ value: Int?) -> Orientation {
        guard let value, (1...8).contains(value) else { return upright }
        return Orientation(turns: exifValues[value - 1].turns, exifValues[value - 1].mirrored)
    }

    /// The orientation of a camera frame.
    ///
    /// - Parameters:
    ///   - degrees: 0, 90, 180 or 270: the clockwise turn that makes the frame upright (`AVCaptureConnection`'s
    ///     `videoRotationAngle`, where the connection does not turn the frames itself).
    ///   - mirrored: whether the upright image is then mirrored left to right (a front camera's preview).
    public static func fromRotation(_ degrees: Int, mirrored: Bool = false) throws -> Orientation {
        if ![0, 90, 180, 270].contains(degrees) {
            throw SamesightError("a rotation is 0, 90, 180 or 270 degrees, not \(degrees)")
        }
        return Orientation(turns: degrees / 90, mirrored)
    }

    /// The EXIF value 1...8 of this orientation.
    public var exif: Int { 1 + (exifValues.firstIndex { $0 == (quarterTurns, mirrored) } ?? 0) }

    /// Whether the upright image has the stored one's rows as columns.
    public var transposed: Bool { quarterTurns % 2 == 1 }

    /// Width of the upright image, from the sides of the stored one.
    public func uprightWidth(_ width: Int, _ height: Int) -> Int { transposed ? height : width }

    /// Height of the upright image, from the sides of the stored one.
    public func uprightHeight(_ width: Int, _ height: Int) -> Int { transposed ? width : height }

    /// The upright RGB bytes [H', W', 3] of stored ones [height, width, 3].
    public func upright(_ pixels: [UInt8], _ width: Int, _ height: Int) -> [UInt8] {
        let across = uprightWidth(width, height)
        var result = [UInt8](repeating: 0, count: pixels.count)
        var at = 0
        for y in 0..<uprightHeight(width, height) {
            for column in 0..<across {
                let x = mirrored ? across - 1 - column : column
                let storedX = transposed ? y : x
                let storedY = transposed ? x : y
                // Of a quarter and a half turn x runs backwards, of a half and three quarters y does.
                let turnedX = quarterTurns >= 2 ? width - 1 - storedX : storedX
                let turnedY = quarterTurns == 1 || quarterTurns == 2 ? height - 1 - storedY : storedY
                for c in 0..<3 { result[at + c] = pixels[3 * (turnedY * width + turnedX) + c] }
                at += 3
            }
        }
        return result
    }

    /// A box of the upright image as a box of the stored one, float64.
    ///
    /// - Parameters:
    ///   - box: x1, y1, x2, y2 in pixels of the upright image, x1 <= x2, y1 <= y2.
    ///   - width: of the stored image, in pixels.
    ///   - height: of the stored image, in pixels.
    /// - Returns: in pixels of the stored image, again with x1 <= x2, y1 <= y2.
    func toStored(_ box: SIMD4<Double>, _ width: Int, _ height: Int) -> SIMD4<Double> {
        let uprightWidth = Double(uprightWidth(width, height))
        let (w, h) = (Double(width), Double(height))
        let x1 = mirrored ? uprightWidth - box[2] : box[0]
        let x2 = mirrored ? uprightWidth - box[0] : box[2]
        let (y1, y2) = (box[1], box[3])
        return switch quarterTurns {
        case 0: SIMD4(x1, y1, x2, y2)
        case 1: SIMD4(y1, h - x2, y2, h - x1)
        case 2: SIMD4(w - x2, h - y2, w - x1, h - y1)
        default: SIMD4(w - y2, x1, w - y1, x2)
        }
    }
}
