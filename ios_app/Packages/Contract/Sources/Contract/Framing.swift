/// The integers of one framing, all in pixels: which part of an upright image the network sees, and at what size.
///
/// The upright image of `sourceWidth` x `sourceHeight` is resized to `scaledWidth` x `scaledHeight`, and its top left
/// corner comes to lie at (`left`, `top`) of the input of `width` x `height`. A crop has left, top <= 0, a letterbox
/// >= 0; what the image does not cover has level `pad` in every channel.
public struct Frame: Hashable, Sendable {
    public let sourceWidth: Int
    public let sourceHeight: Int
    public let scaledWidth: Int
    public let scaledHeight: Int
    public let left: Int
    public let top: Int
    public let width: Int
    public let height: Int
    public var pad = 0

    /// The part of the scaled image that lies inside the input.
    public var window: Window {
        let right = min(scaledWidth, width - left)
        let bottom = min(scaledHeight, height - top)
        let x = max(0, -left)
        let y = max(0, -top)
        return Window(left: x, top: y, width: right - x, height: bottom - y)
    }

    /// A box in input pixels as a box in pixels of the upright image, clipped to it; float64, not rounded.
    ///
    /// - Parameter box: x1, y1, x2, y2.
    func toUpright(_ box: Box) -> SIMD4<Double> {
        SIMD4(
            map(box.x1, left, sourceWidth, scaledWidth),
            map(box.y1, top, sourceHeight, scaledHeight),
            map(box.x2, left, sourceWidth, scaledWidth),
            map(box.y2, top, sourceHeight, scaledHeight)
        )
    }

    private func map(_ value: Float, _ offset: Int, _ source: Int, _ scaled: Int) -> Double {
        let mapped = (Double(value) - Double(offset)) * Double(source) / Double(scaled)
        // The first comparison also turns -0.0 into 0.0.
        let above = mapped > 0 ? mapped : 0
        return above < Double(source) ? above : Double(source)
    }
}

/// The frame of an upright image of `width` x `height` pixels (1...65535 each) for the input `spec`.
public func frame(_ width: Int, _ height: Int, _ spec: Input) -> Frame {
    switch spec.framing {
    case .stretch: placed(width, height, spec, (spec.width, spec.height), (0, 0))
    case .crop(let shorter): crop(width, height, shorter, spec)
    case .letterbox(let pad): letterbox(width, height, pad, spec)
    case .stretchCrop(let across, let down): middle(width, height, (across, down), spec)
    }
}

private func placed(
    _ width: Int, _ height: Int, _ spec: Input, _ scaled: (Int, Int), _ corner: (Int, Int), pad: Int = 0
) -> Frame {
    Frame(
        sourceWidth: width, sourceHeight: height, scaledWidth: scaled.0, scaledHeight: scaled.1, left: corner.0,
        top: corner.1, width: spec.width, height: spec.height, pad: pad)
}

/// The shorter side given, the longer one in proportion, rounded down (torchvision's Resize); then the middle.
private func crop(_ width: Int, _ height: Int, _ shorter: Int, _ spec: Input) -> Frame {
    let scaledWidth = width <= height ? shorter : shorter * width / height
    let scaledHeight = width <= height ? shorter * height / width : shorter
    return middle(width, height, (scaledWidth, scaledHeight), spec)
}

/// The middle of the image at the scaled size.
private func middle(_ width: Int, _ height: Int, _ scaled: (Int, Int), _ spec: Input) -> Frame {
    let corner = (-offset(scaled.0 - spec.width), -offset(scaled.1 - spec.height))
    return placed(width, height, spec, scaled, corner)
}

/// Half of `excess`, halves rounded to even: torchvision's CenterCrop, int(round(excess / 2.0)).
private func offset(_ excess: Int) -> Int { (excess + ((excess >> 1) & 1)) >> 1 }

/// The largest size of the same aspect that fits, halves rounded up, at least one pixel; centred.
private func letterbox(_ width: Int, _ height: Int, _ pad: Int, _ spec: Input) -> Frame {
    var scaledWidth = spec.width
    var scaledHeight = spec.height
    if spec.width * height <= spec.height * width {
        scaledHeight = min(max((2 * height * spec.width + width) / (2 * width), 1), spec.height)
    } else {
        scaledWidth = min(max((2 * width * spec.height + height) / (2 * height), 1), spec.width)
    }
    let corner = ((spec.width - scaledWidth) / 2, (spec.height - scaledHeight) / 2)
    return placed(width, height, spec, (scaledWidth, scaledHeight), corner, pad: pad)
}
