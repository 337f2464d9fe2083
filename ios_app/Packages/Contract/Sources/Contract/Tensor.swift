/// A raw output: float32 values, flat and row-major, and their shape.
public struct Tensor: Sendable {
    public let shape: [Int]
    public let values: [Float]

    /// - Parameter values: as many as the shape says.
    public init(_ shape: [Int], _ values: [Float]) {
        precondition(values.count == shape.reduce(1, *), "another number of values than the shape says")
        self.shape = shape
        self.values = values
    }
}
