// Boxes in input pixels from raw boxes: distances from a grid, corners, middle and size, or deltas of anchors.

/// log(1000 / 16): an anchor grows by no more than this, as torchvision's BoxCoder has it.
private let mostGrowth = 4.135166556742356

/// A box x1, y1, x2, y2 in input pixels from the raw box of a position; all in float32.
///
/// - Parameters:
///   - raw: [N, 4].
///   - grid: of ``gridPoints(_:_:)``.
/// - Returns: nil where a raw or decoded value is not finite.
@inline(__always)
func decode(
    _ raw: UnsafeBufferPointer<Float>, _ position: Int, _ coding: BoxCoding, _ input: Input,
    _ grid: UnsafeMutablePointer<Float>
) -> Box? {
    let from = 4 * position
    let ofCell = coding.unit == .stride || coding.unit == .anchor
    let across = ofCell ? grid[from + 2] : coding.unit == .fraction ? Float(input.width) : 1
    let down = ofCell ? grid[from + 3] : coding.unit == .fraction ? Float(input.height) : 1
    let a = raw[from] * across
    let b = raw[from + 1] * down
    let c = raw[from + 2] * across
    let d = raw[from + 3] * down
    let box: Box
    switch coding.coding {
    case .distances:
        let (x, y) = (grid[from], grid[from + 1])
        box = Box(x1: x - positive(a), y1: y - positive(b), x2: x + positive(c), y2: y + positive(d))
    case .corners:
        box = Box(x1: a, y1: b, x2: c > a ? c : a, y2: d > b ? d : b)
    case .centerSize:
        box = around(a, b, c, d)
    case .anchorDeltas:
        let (width, height) = (grid[from + 2], grid[from + 3])
        let divisors = coding.divisors
        box = around(
            raw[from] / Float(divisors[0]) * width + grid[from],
            raw[from + 1] / Float(divisors[1]) * height + grid[from + 1],
            width * grown(raw[from + 2] / Float(divisors[2])),
            height * grown(raw[from + 3] / Float(divisors[3])))
    }
    let rawFinite = raw[from].isFinite && raw[from + 1].isFinite && raw[from + 2].isFinite && raw[from + 3].isFinite
    return rawFinite && box.isFinite ? box : nil
}

/// How many times an anchor's side a box has.
private func grown(_ logarithm: Float) -> Float {
    let wide = Double(logarithm)
    return Float(exp(wide < mostGrowth ? wide : mostGrowth))
}

@inline(__always)
private func around(_ x: Float, _ y: Float, _ width: Float, _ height: Float) -> Box {
    let (halfX, halfY) = (positive(width) * 0.5, positive(height) * 0.5)
    return Box(x1: x - halfX, y1: y - halfY, x2: x + halfX, y2: y + halfY)
}

/// A value above 0, and 0 in place of any other.
func positive(_ value: Float) -> Float { value > 0 ? value : 0 }

/// Point x, point y, width and height of every position [N, 4], in input pixels.
///
/// Grid by grid, each row by row; width and height are those of the cell for strides (and all is exact), and those of
/// the anchor for grids, in whose cells anchor follows anchor.
func gridPoints(_ coding: BoxCoding, _ input: Input) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(4 * positionCount(coding, input))
    for stride in coding.strides {
        let side = Float(stride)
        for row in 0..<input.height / stride {
            for column in 0..<input.width / stride {
                result += [(Float(column) + 0.5) * side, (Float(row) + 0.5) * side, side, side]
            }
        }
    }
    for grid in coding.grids {
        for row in 0..<grid.rows {
            for column in 0..<grid.columns {
                let x = Float((Double(column) + grid.offset) * grid.step[0])
                let y = Float((Double(row) + grid.offset) * grid.step[1])
                for anchor in grid.anchors { result += [x, y, Float(anchor[0]), Float(anchor[1])] }
            }
        }
    }
    return result
}

/// How many positions the grids of a coding have.
public func positionCount(_ coding: BoxCoding, _ input: Input) -> Int {
    let cells = coding.strides.reduce(0) { $0 + (input.width / $1) * (input.height / $1) }
    return coding.grids.reduce(cells) { $0 + $1.columns * $1.rows * $1.anchors.count }
}
