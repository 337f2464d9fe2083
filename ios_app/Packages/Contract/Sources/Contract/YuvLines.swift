/// The lines of a camera frame for a ``Resizer``, already RGB.
///
/// The work is laid out for compilers: bytes become ints first, which is scalar, then whole lines are weighed, added and
/// limited, which become vector instructions. Two lines are read at a time: they share their chroma samples, and in
/// memory, where lines are columns, the place.
final class FrameLines: Lines {
    private var frame: Yuv420?
    private var coefficients = ToRgb.of(.bt601, .video)
    private var black: Int32 = 0
    private var byColumns = false
    private var first = 0
    private var count = 0
    private var lines = 1
    private var pair = -1
    private var samples = Buffer<Int32>(repeating: 0, count: 0)
    private var even = Buffer<Int32>(repeating: 0, count: 0)
    private var odd = Buffer<Int32>(repeating: 0, count: 0)
    private var red = Buffer<Int32>(repeating: 0, count: 0)
    private var green = Buffer<Int32>(repeating: 0, count: 0)
    private var blue = Buffer<Int32>(repeating: 0, count: 0)

    /// Asks for columns or rows of a frame that was checked: `length` pixels each, from the even pixel `first` on.
    func begin(_ frame: Yuv420, _ matrix: YuvMatrix, _ range: YuvRange, byColumns: Bool, first: Int, length: Int) {
        self.frame = frame
        self.byColumns = byColumns
        self.first = first
        coefficients = ToRgb.of(matrix, range)
        black = range.black
        lines = byColumns ? frame.width : frame.height
        pair = -1
        if count == length { return }
        count = length
        samples = Buffer(repeating: 0, count: length)
        even = Buffer(repeating: 0, count: length)
        odd = Buffer(repeating: 0, count: length)
        red = Buffer(repeating: 0, count: length)
        green = Buffer(repeating: 0, count: length)
        blue = Buffer(repeating: 0, count: length)
    }

    /// Forgets the frame, whose memory may end after a call.
    func end() {
        frame = nil
    }

    func read(_ index: Int, _ line: Line) {
        if pair != index / 2 { readPair(index / 2) }
        let luma = index % 2 == 0 ? even.start : odd.start
        write(luma, red.start, line.red)
        write(luma, green.start, line.green)
        write(luma, blue.start, line.blue)
    }

    private func write(
        _ luma: UnsafeMutablePointer<Int32>, _ chroma: UnsafeMutablePointer<Int32>,
        _ levels: UnsafeMutablePointer<Int32>
    ) {
        for i in 0..<count { levels[i] = clamp((luma[i] &+ chroma[i]) >> 16) }
    }

    private func readPair(_ index: Int) {
        guard let frame else { return }
        let c = coefficients
        readLuma(frame.y, index)
        weigh(even, c.y, roundingHalf - black * c.y, even)
        weigh(odd, c.y, roundingHalf - black * c.y, odd)
        readPairs(frame.u, index)
        weigh(samples, c.blueU, -128 * c.blueU, blue)
        weigh(samples, -c.greenU, 128 * (c.greenU + c.greenV), green)
        readPairs(frame.v, index)
        weigh(samples, c.redV, -128 * c.redV, red)
        let (samples, green) = (samples.start, green.start)
        for i in 0..<count { green[i] &-= c.greenV &* samples[i] }
        pair = index
    }

    private func weigh(_ samples: Buffer<Int32>, _ by: Int32, _ offset: Int32, _ into: Buffer<Int32>) {
        let (from, into) = (samples.start, into.start)
        for i in 0..<count { into[i] = from[i] &* by &+ offset }
    }

    private func readLuma(_ plane: Plane, _ index: Int) {
        guard var at = start(plane, 2 * index, first) else { return }
        let step = along(plane)
        // The last line may be without another.
        let other = 2 * index + 1 < lines ? between(plane) : 0
        let (even, odd) = (even.start, odd.start)
        for i in 0..<count {
            even[i] = Int32(at[0])
            odd[i] = Int32(at[other])
            if i + 1 < count { at += step }
        }
    }

    /// Each sample is of two pixels, perhaps the last of one alone.
    private func readPairs(_ plane: Plane, _ index: Int) {
        guard let at = start(plane, index, first / 2) else { return }
        let step = along(plane)
        let samples = samples.start
        for i in 0..<count / 2 {
            let sample = Int32(at[i * step])
            samples[2 * i] = sample
            samples[2 * i + 1] = sample
        }
        if count % 2 == 1 { samples[count - 1] = Int32(at[count / 2 * step]) }
    }

    private func along(_ plane: Plane) -> Int { byColumns ? plane.rowStride : plane.pixelStride }

    private func between(_ plane: Plane) -> Int { byColumns ? plane.pixelStride : plane.rowStride }

    private func start(_ plane: Plane, _ index: Int, _ sample: Int) -> UnsafePointer<UInt8>? {
        let bytes = plane.data.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return bytes.map { $0 + plane.offset + index * between(plane) + sample * along(plane) }
    }
}
