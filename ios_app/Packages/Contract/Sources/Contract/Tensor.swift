/// A raw output: float32 values, flat and row-major, and their shape.
public struct Tensor: Sendable {
    public let shape: [Int]
    public let values: [Float]

    public init(_ shape: [Int], _ values: [Float]) {
        self.shape = shape
        self.values = values
    }
}
