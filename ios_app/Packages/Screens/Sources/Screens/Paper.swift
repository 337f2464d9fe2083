/// At this width in points, lines and letters over an image have the size that they have on a phone's screen.
private let usualWidth = 360.0
/// The least longer side in pixels of a picture that is kept, so that letters over a small image can be read.
private let leastSide = 720

/// What a still image is drawn on for a file: its size in points, and pixels to a point.
public struct Paper: Equatable, Sendable {
    public let width: Double
    public let height: Double
    public let scale: Double
}

/// The paper of an image of so many pixels: all of them, or a whole multiple where they are few.
public func paper(width: Int, height: Int) -> Paper {
    let longer = max(1, width, height)
    let times = max(1, (leastSide + longer - 1) / longer)
    let (across, down) = (Double(times * width), Double(times * height))
    let scale = max(min(across, down), 1) / usualWidth
    return Paper(width: across / scale, height: down / scale, scale: scale)
}
