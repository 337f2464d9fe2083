import Contract

let nanoseconds = 1e6
private let runs = 15
private let warmUp = 2
private let longest = 1_000_000_000
private let tellingOperations = 100_000_000

// An NPU that runs a network of such a size is several times faster; two runs of one CPU do not differ so much.
private let tellingRatio = 2.0

/// One unit is faster than another by at least this: less is how two runs of one unit differ.
let margin = 1.1

/// Threads that a runtime is given on the CPU: the large cores of most phones, which are half of all.
public func cpuThreads(_ processors: Int) -> Int { min(max(processors / 2, 1), 4) }

func isSlower(_ times: Times, _ cpu: Times?) -> Bool {
    guard let cpu else { return false }
    return times.steady > cpu.steady * margin
}

/// The middle of some runs' times in milliseconds; of a slow network fewer runs, at least three.
func steadyTime(_ engine: any Engine, _ tensor: [UInt8], _ clock: () -> Int) throws -> Double {
    var times: [Int] = []
    let begin = clock()
    while times.count < warmUp + runs && (times.count < warmUp + 3 || clock() - begin < longest) {
        try Task.checkCancellation()
        let start = clock()
        _ = try engine.run(tensor)
        times.append(clock() - start)
    }
    let sorted = times.dropFirst(warmUp).sorted()
    return Double(sorted[sorted.count / 2]) / nanoseconds
}

/// On a small network a call costs more than its arithmetic, and times tell nothing.
func proof(_ engine: any Engine, _ times: Times, _ cpu: Times?) -> Proof {
    if engine.certain { return .certain }
    guard let cpu, (engine.operations ?? 0) >= tellingOperations else { return .requested }
    return times.steady * tellingRatio <= cpu.steady ? .timing : .requested
}
