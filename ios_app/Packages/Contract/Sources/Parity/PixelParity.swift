import Contract

/// A stored image that consecutive cases share: its bytes, and where they are more than one plane, where those begin.
private struct Source {
    let kind: String
    let bytes: [UInt8]
    var planes: [(offset: Int, row: Int, step: Int)] = []
}

func pixelParity(_ cases: [Case]) async throws -> [String] {
    let groups = Dictionary(grouping: cases.indices) { cases[$0].text("seed") }.values
    return try await withThrowingTaskGroup(of: [(Int, String)].self) { tasks in
        for group in groups {
            tasks.addTask {
                let source = source(cases[group[0]])
                return try group.map { index in
                    (index, try sentenceOr { try pixels(cases[index], source) })
                }
            }
        }
        var lines = [String](repeating: "", count: cases.count)
        for try await answered in tasks {
            for (index, line) in answered { lines[index] = line }
        }
        return lines
    }
}

private func source(_ one: Case) -> Source {
    var generator = one.seed
    let (width, height, kind) = (one.int("width"), one.int("height"), one.text("kind"))
    let image = randomImage(&generator, width, height)
    switch kind {
    case "rgb": return Source(kind: kind, bytes: image)
    case "planes": return planes(&generator, image, one)
    case "bgra", "rgba": return fourBytes(image, one)
    case "biplanar":
        return biplanar(rgbToYuv420(image, width, height, .nv12, one.choice("matrix"), one.choice("range")), one)
    default:
        let layout: YuvLayout = one.choice("kind")
        return Source(
            kind: kind, bytes: rgbToYuv420(image, width, height, layout, one.choice("matrix"), one.choice("range")))
    }
}

/// Luma is the image's red; u and v are green and blue of a second, smaller image; each with its own strides.
private func planes(_ generator: inout Generator, _ image: [UInt8], _ one: Case) -> Source {
    let across = chromaSize(one.int("width"))
    let chroma = randomImage(&generator, across, chromaSize(one.int("height")))
    var bytes: [UInt8] = []
    var planes: [(offset: Int, row: Int, step: Int)] = []
    let strides = one.element("planes").list
    for (channel, (pixels, columns)) in [(image, one.int("width")), (chroma, across), (chroma, across)].enumerated() {
        let (row, step) = (strides[channel].list[0].number, strides[channel].list[1].number)
        let count = pixels.count / 3
        let offset = bytes.count
        bytes += [UInt8](repeating: 0, count: (count / columns - 1) * row + (columns - 1) * step + 1)
        for i in 0..<count { bytes[offset + i / columns * row + i % columns * step] = pixels[3 * i + channel] }
        planes.append((offset, row, step))
    }
    return Source(kind: "planes", bytes: bytes, planes: planes)
}

/// How many bytes stand between the samples of plane `index` and its next row.
private func padding(_ one: Case, _ index: Int) -> Int {
    let strides = one.element("planes").list[index].list
    let columns = index == 0 ? one.int("width") : chromaSize(one.int("width"))
    return strides[0].number - ((columns - 1) * strides[1].number + 1)
}

/// Rows with padding; alpha is noise, and nothing follows the last pixel.
private func fourBytes(_ image: [UInt8], _ one: Case) -> Source {
    let (width, height) = (one.int("width"), one.int("height"))
    let row = 4 * width + padding(one, 0)
    let red = one.text("kind") == "bgra" ? 2 : 0
    var bytes = [UInt8](repeating: 99, count: (height - 1) * row + 4 * width)
    for y in 0..<height {
        for x in 0..<width {
            let (from, to) = (3 * (y * width + x), y * row + 4 * x)
            bytes[to + red] = image[from]
            bytes[to + 1] = image[from + 1]
            bytes[to + 2 - red] = image[from + 2]
            bytes[to + 3] = UInt8(truncatingIfNeeded: from)
        }
    }
    return Source(kind: one.text("kind"), bytes: bytes, planes: [(0, row, 4)])
}

/// The two planes of an `nv12` frame with padding after their rows.
private func biplanar(_ tight: [UInt8], _ one: Case) -> Source {
    let (width, height) = (one.int("width"), one.int("height"))
    var bytes: [UInt8] = []
    var planes: [(offset: Int, row: Int, step: Int)] = []
    var from = 0
    for (index, samples, rows) in [(0, width, height), (1, 2 * chromaSize(width), chromaSize(height))] {
        let row = samples + padding(one, index)
        planes.append((bytes.count, row, 1))
        for y in 0..<rows {
            bytes += tight[from..<from + samples]
            from += samples
            if y + 1 < rows { bytes += [UInt8](repeating: 7, count: row - samples) }
        }
    }
    return Source(kind: "biplanar", bytes: bytes, planes: planes)
}

/// Frame, hash of the tensor, hash of the packed tensor, and hash of the camera bytes.
private func pixels(_ one: Case, _ source: Source) throws -> String {
    let input = try one.spec().input
    let preprocessor = Preprocessor(input)
    let frame = try run(preprocessor, one, source).frame
    let layouts = YuvLayout.allCases.map(\.rawValue)
    let parts: [String] = [
        "\(frame.scaledWidth)", "\(frame.scaledHeight)", "\(frame.left)", "\(frame.top)", sha256(preprocessor.tensor),
        sha256(packed(preprocessor.tensor, input, one.choice("input_layout"))),
        layouts.contains(source.kind) ? sha256(source.bytes) : "-",
    ]
    return parts.joined(separator: " ")
}

private func run(_ preprocessor: Preprocessor, _ one: Case, _ source: Source) throws -> Geometry {
    let (width, height) = (one.int("width"), one.int("height"))
    let orientation = try one.orientation()
    if source.kind == "rgb" { return preprocessor.run(try Picture(source.bytes, width, height, orientation)) }
    return try source.bytes.withUnsafeBytes { bytes in
        func plane(_ index: Int) -> Plane {
            let (offset, row, step) = source.planes[index]
            return Plane(bytes, rowStride: row, pixelStride: step, offset: offset)
        }
        let frame: Yuv420
        switch source.kind {
        case "bgra", "rgba":
            let pixels = PixelFrame(
                width, height, bytes, rowStride: source.planes[0].row, order: one.choice("kind"))
            return try preprocessor.run(pixels, orientation)
        case "planes": frame = Yuv420(width, height, y: plane(0), u: plane(1), v: plane(2))
        case "biplanar": frame = Yuv420(width, height, y: plane(0), cbCr: plane(1))
        default: frame = try yuv420FromBytes(bytes, width, height, one.choice("kind"))
        }
        return try preprocessor.run(frame, one.choice("matrix"), one.choice("range"), orientation)
    }
}

private func packed(_ tensor: [UInt8], _ input: Input, _ layout: TensorLayout) -> [UInt8] {
    let channels = input.channels.count
    if layout == .int8Nhwc || layout == .bgra8Nhwc {
        let count = layout == .int8Nhwc ? tensor.count : tensor.count / channels * 4
        var bytes = [UInt8](repeating: 0, count: count)
        pack(tensor, channels, layout, into: &bytes)
        return bytes
    }
    var floats = [Float](repeating: 0, count: tensor.count)
    pack(tensor, channels, layout, into: &floats)
    return floats.withUnsafeBytes { Array($0) }
}
