/// How an artifact takes the input tensor.
public enum TensorLayout: String, CaseIterable, Sendable {
    case int8Nhwc = "int8_nhwc"
    case float32Nhwc = "float32_nhwc"
    case float32Nchw = "float32_nchw"
    case bgra8Nhwc = "bgra8_nhwc"
}

/// The input tensor uint8 [H, W, C] (C of 1 or 3) as the bytes of an artifact's input.
///
/// `int8Nhwc`: int8 [1, H, W, C], pixel - 128 (scale 1, zero point -128). `bgra8Nhwc`: uint8 [1, H, W, 4], channels 2, 1,
/// 0 of the tensor (its only one three times, if grey), then 255.
///
/// - Parameter into: takes the result, H * W * C bytes, or H * W * 4.
public func pack(_ tensor: [UInt8], _ channels: Int, _ layout: TensorLayout, into: inout [UInt8]) {
    if layout == .int8Nhwc {
        precondition(into.count == tensor.count, "another size than the tensor's")
        tensor.withUnsafeBufferPointer { tensor in
            into.withUnsafeMutableBufferPointer { into in
                for i in tensor.indices { into[i] = tensor[i] ^ 128 }
            }
        }
        return
    }
    precondition(layout == .bgra8Nhwc, "\(layout.rawValue) holds floats")
    into.withUnsafeMutableBytes {
        packBgra(tensor, channels, width: tensor.count / channels, into: $0, rowStride: $0.count)
    }
}

/// As `pack` of `bgra8Nhwc`, into rows with padding, as a `CVPixelBuffer` has.
///
/// - Parameters:
///   - width: W of the tensor.
///   - into: takes the result; rows are `rowStride` bytes apart, 4 * W or more.
public func packBgra(
    _ tensor: [UInt8], _ channels: Int, width: Int, into: UnsafeMutableRawBufferPointer, rowStride: Int
) {
    let height = tensor.count / channels / width
    precondition(
        rowStride >= 4 * width && into.count >= (height - 1) * rowStride + 4 * width, "too short for the tensor")
    let last = channels - 1
    tensor.withUnsafeBufferPointer { tensor in
        for y in 0..<height {
            for x in 0..<width {
                let from = channels * (y * width + x)
                let to = y * rowStride + 4 * x
                into[to] = tensor[from + last]
                into[to + 1] = tensor[from + last / 2]
                into[to + 2] = tensor[from]
                into[to + 3] = 255
            }
        }
    }
}

/// The input tensor uint8 [H, W, C] (C of 1 or 3) as the floats of an artifact's input, values 0...255.
///
/// `float32Nhwc`: [1, H, W, C]. `float32Nchw`: [1, C, H, W].
///
/// - Parameter into: takes the result, H * W * C floats.
public func pack(_ tensor: [UInt8], _ channels: Int, _ layout: TensorLayout, into: inout [Float]) {
    precondition(layout == .float32Nhwc || layout == .float32Nchw, "\(layout.rawValue) holds bytes")
    precondition(into.count == tensor.count, "another size than the tensor's")
    let area = tensor.count / channels
    tensor.withUnsafeBufferPointer { tensor in
        into.withUnsafeMutableBufferPointer { into in
            if layout == .float32Nhwc {
                for i in tensor.indices { into[i] = Float(tensor[i]) }
                return
            }
            for c in 0..<channels {
                for i in 0..<area { into[c * area + i] = Float(tensor[channels * i + c]) }
            }
        }
    }
}

/// Real values of a quantized tensor: float32(q - zeroPoint) * float32(scale).
///
/// - Parameters:
///   - q: the bytes of int8, or of uint8 where not `signed`.
///   - into: takes the result, of the size of `q`.
public func dequantize(_ q: [UInt8], signed: Bool, scale: Double, zeroPoint: Int, into: inout [Float]) {
    precondition(into.count == q.count, "another size than the tensor's")
    let step = Float(scale)
    let zero = Int32(zeroPoint)
    q.withUnsafeBufferPointer { q in
        into.withUnsafeMutableBufferPointer { into in
            for i in q.indices {
                let value = signed ? Int32(Int8(bitPattern: q[i])) : Int32(q[i])
                into[i] = Float(value &- zero) * step
            }
        }
    }
}
