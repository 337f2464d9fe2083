/// A line of `count` pixels as levels 0...255, or as sums of weighed ones.
///
/// Each channel has a memory of its own: compilers make vector instructions of loops over whole arrays.
final class Line {
    let count: Int
    let red: UnsafeMutablePointer<Int32>
    let green: UnsafeMutablePointer<Int32>
    let blue: UnsafeMutablePointer<Int32>
    private let memory: Buffer<Int32>

    init(_ count: Int) {
        self.count = count
        memory = Buffer(repeating: 0, count: 3 * count)
        red = memory.start
        green = memory.start + count
        blue = memory.start + 2 * count
    }
}

/// Gives the asked part of stored line `index`, a row or a column.
protocol Lines: AnyObject {
    func read(_ index: Int, _ line: Line)
}

/// The two passes of `docs/contract.md`, "Resize", over the lines of a stored image, one by one, straight into the
/// tensor.
///
/// Stands for Python's `upright`, `resize`, `resize_window` and `fill`: it computes what lies inside the input only,
/// turns the few scaled pixels instead of the many stored ones, and allocates nothing after construction. The lines are
/// columns of the upright image, which are columns or rows of the stored one: then the first pass, across, is sums of
/// whole lines, and only the second, of the few lines that are left, goes from pixel to pixel.
final class Resizer {
    private let frame: Frame
    private let channels: Channels
    private let origin: Int
    private let backwards: Bool
    private let across: Weights
    private let down: Weights
    private let line: Line
    private let narrow: Line
    private let open: [Line]

    /// Whether the lines that are asked of ``Lines`` are columns of the stored image; else its rows.
    let byColumns: Bool

    /// The first pixel of a line that is asked for, an even one: there a camera frame's chroma samples begin.
    let first: Int

    /// How many pixels of each line are asked for.
    let length: Int

    /// - Parameters:
    ///   - frame: of the upright image.
    ///   - orientation: of the stored image.
    init(_ frame: Frame, _ orientation: Orientation, _ filter: Filter, _ channels: Channels) {
        self.frame = frame
        self.channels = channels
        let window = frame.window
        origin = ((frame.top + window.top) * frame.width + frame.left + window.left) * channels.count
        let quarters = orientation.quarterTurns
        byColumns = !orientation.transposed
        backwards = (quarters == 1 || quarters == 2) != orientation.mirrored
        across = weights(frame.sourceWidth, frame.scaledWidth, window.left, window.left + window.width, filter)
        let upright = weights(frame.sourceHeight, frame.scaledHeight, window.top, window.top + window.height, filter)
        down = quarters >= 2 ? upright.reversed(frame.sourceHeight) : upright
        first = (down.starts.min() ?? 0) / 2 * 2
        length = (down.stops.max() ?? 0) - first
        line = Line(length)
        narrow = Line(down.count)
        let length = length
        open = (0..<mostOpen(across)).map { _ in Line(length) }
    }

    /// Reads all lines that matter and writes the covered part of `tensor`, uint8 [H, W, C].
    func run(_ lines: some Lines, _ tensor: UnsafeMutablePointer<UInt8>) {
        var done = 0
        var opened = 0
        for x in across.starts[0]..<across.stops[across.count - 1] {
            lines.read(backwards ? frame.sourceWidth - 1 - x : x, line)
            while opened < across.count && across.starts[opened] <= x { opened += 1 }
            for i in done..<opened {
                let tap = across.taps[i * across.stride + x - across.starts[i]]
                let sums = open[i % open.count]
                if x == across.starts[i] { begin(line, tap, sums) } else { add(line, tap, sums) }
            }
            while done < opened && across.stops[done] == x + 1 {
                finish(open[done % open.count])
                put(done, open[done % open.count], tensor)
                done += 1
            }
        }
    }

    private func put(_ column: Int, _ finished: Line, _ tensor: UnsafeMutablePointer<UInt8>) {
        weighAlong(finished, down, first, narrow)
        let start = tensor + origin + column * channels.count
        toChannels(narrow, channels, start, step: frame.width * channels.count)
    }
}

/// How many scaled pixels at most are made of the same source pixel, so that their sums are open at once.
private func mostOpen(_ weights: Weights) -> Int {
    var most = 0
    var done = 0
    for opened in 0..<weights.count {
        while weights.stops[done] <= weights.starts[opened] { done += 1 }
        most = max(most, opened - done + 1)
    }
    return most
}

// The channels of a line follow each other in memory, so a loop over one goes over all.

private func begin(_ input: Line, _ tap: Int32, _ sums: Line) {
    let (from, into) = (input.red, sums.red)
    for i in 0..<3 * sums.count { into[i] = weightHalf &+ from[i] &* tap }
}

private func add(_ input: Line, _ tap: Int32, _ sums: Line) {
    let (from, into) = (input.red, sums.red)
    for i in 0..<3 * sums.count { into[i] &+= from[i] &* tap }
}

/// `value` limited to 0...255, without branches.
@inline(__always)
func clamp(_ value: Int32) -> Int32 {
    let positive = value & ~(value >> 31)
    return (positive | (255 &- positive) >> 31) & 255
}

private func finish(_ sums: Line) {
    let levels = sums.red
    for i in 0..<3 * sums.count { levels[i] = clamp(levels[i] >> precisionBits) }
}

/// A `line` that begins at source pixel `first`, scaled to `into`.
private func weighAlong(_ line: Line, _ weights: Weights, _ first: Int, _ into: Line) {
    weights.taps.withUnsafeBufferPointer { taps in
        for i in 0..<weights.count {
            let start = weights.starts[i] - first
            let stop = weights.stops[i] - first
            let shift = i * weights.stride - start
            var (red, green, blue) = (weightHalf, weightHalf, weightHalf)
            for k in start..<stop {
                let tap = taps[k + shift]
                red &+= line.red[k] &* tap
                green &+= line.green[k] &* tap
                blue &+= line.blue[k] &* tap
            }
            into.red[i] = clamp(red >> precisionBits)
            into.green[i] = clamp(green >> precisionBits)
            into.blue[i] = clamp(blue >> precisionBits)
        }
    }
}
