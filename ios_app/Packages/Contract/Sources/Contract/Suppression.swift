/// A box with its area, and the index of its class.
struct Candidate: BitwiseCopyable {
    let box: Box
    let area: Float
    let index: Int32
}

/// Greedy class-wise non-maximum suppression.
///
/// - Parameters:
///   - boxes: [K], best first; boxes of different classes never suppress each other.
///   - count: K.
///   - limit: a box whose IoU with a kept, better one of its class is greater goes.
///   - kept: takes the indices of the kept boxes, rising; stops when it is full.
/// - Returns: how many were kept.
func suppress(_ boxes: UnsafeMutablePointer<Candidate>, _ count: Int, _ limit: Float, _ kept: Buffer<Int32>) -> Int {
    let indices = kept.start
    var size = 0
    for index in 0..<count {
        if size == kept.count { break }
        let box = boxes[index]
        var place = 0
        while place < size {
            let better = boxes[Int(indices[place])]
            if better.index == box.index && iou(better, box) > limit { break }
            place += 1
        }
        if place == size {
            indices[size] = Int32(index)
            size += 1
        }
    }
    return size
}

/// Intersection over union of two boxes; 0 where the union is empty.
@inline(__always)
func iou(_ a: Candidate, _ b: Candidate) -> Float {
    let width = min(a.box.x2, b.box.x2) - max(a.box.x1, b.box.x1)
    let height = min(a.box.y2, b.box.y2) - max(a.box.y1, b.box.y1)
    // Most boxes lie apart; what is left out gives 0 as well.
    if !(width > 0 && height > 0) { return 0 }
    let common = width * height
    let union = (a.area + b.area) - common
    return union > 0 ? common / union : 0
}

/// A number that is smaller for a greater `value`, and for a lower `position` where values are equal.
func sortKey(_ value: Float, _ position: Int) -> Int64 {
    // The sum makes -0.0 and 0.0 one; of negative floats the bits but the sign run the other way.
    let bits = Int32(bitPattern: (value + 0).bitPattern)
    let rising = bits < 0 ? bits ^ Int32.max : bits
    return Int64(~rising) << 32 | Int64(position)
}

/// Sorts the first `count` keys, rising, in place (heap sort: Swift's own may allocate).
func sort(_ keys: UnsafeMutablePointer<Int64>, _ count: Int) {
    var root = count / 2
    while root > 0 {
        root -= 1
        sink(keys, root, count)
    }
    var last = count - 1
    while last > 0 {
        (keys[0], keys[last]) = (keys[last], keys[0])
        sink(keys, 0, last)
        last -= 1
    }
}

private func sink(_ keys: UnsafeMutablePointer<Int64>, _ from: Int, _ count: Int) {
    let key = keys[from]
    var root = from
    while true {
        var child = 2 * root + 1
        if child >= count { break }
        if child + 1 < count && keys[child + 1] > keys[child] { child += 1 }
        if keys[child] <= key { break }
        keys[root] = keys[child]
        root = child
    }
    keys[root] = key
}
