#if os(Linux)
    import CountedMalloc
    import Testing

    @testable import Contract

    /// How often this thread asks for memory in 200 calls, once everything is warm.
    private func allocations(_ work: () throws -> Void) rethrows -> Int {
        for _ in 0..<10 { try work() }
        let before = counted_malloc_calls()
        for _ in 0..<200 { try work() }
        return counted_malloc_calls() - before
    }

    @Suite struct AllocationTests {
        @Test func theMeasureSeesASmallArray() {
            var kept: [UInt8] = []
            #expect(allocations { kept = [UInt8](repeating: 1, count: 64) } >= 200)
            #expect(kept.count == 64)
        }

        @Test(arguments: 0...3, [Framing.stretch, .crop(resizeShorter: 70), .letterbox()])
        func frameAfterFrameAllocatesNothing(quarters: Int, framing: Framing) throws {
            var generator = Generator(1)
            let image = randomImage(&generator, 160, 90)
            let data = rgbToYuv420(image, 160, 90, .nv21)
            let pixels = [UInt8](repeating: 90, count: 90 * 700)
            let picture = try Picture(image, 160, 90, Orientation(quarterTurns: quarters, mirrored: true))
            let preprocessor = Preprocessor(try makeInput(64, 64, framing))
            var floats = [Float](repeating: 0, count: preprocessor.tensor.count)
            var bytes = [UInt8](repeating: 0, count: preprocessor.tensor.count)
            var coloured = [UInt8](repeating: 0, count: preprocessor.tensor.count / 3 * 4)
            let perFrame = try data.withUnsafeBytes { data in
                try pixels.withUnsafeBytes { pixels in
                    let frame = try yuv420FromBytes(data, 160, 90, .nv21)
                    let coded = PixelFrame(160, 90, pixels, rowStride: 700, order: .bgra)
                    return try allocations {
                        try preprocessor.run(frame, .bt601, .full, picture.orientation)
                        try preprocessor.run(coded, picture.orientation)
                        preprocessor.run(picture)
                        pack(preprocessor.tensor, 3, .int8Nhwc, into: &bytes)
                        pack(preprocessor.tensor, 3, .bgra8Nhwc, into: &coloured)
                        pack(preprocessor.tensor, 3, .float32Nchw, into: &floats)
                        pack(preprocessor.tensor, 3, .float32Nhwc, into: &floats)
                        dequantize(bytes, signed: true, scale: 0.5, zeroPoint: 3, into: &floats)
                    }
                }
            }
            #expect(perFrame == 0)
        }

        @Test(arguments: Activation.allCases)
        func detectionAfterDetectionAllocatesNothing(activation: Activation) throws {
            let spec = try makeDetector(activation)
            let positions = try positionCount(BoxCoding(.distances, strides: [4]), spec.input)
            var generator = Generator(5)
            let logits = (0..<2 * positions).map { _ in Float(generator.below(256)) / 64 - 2 }
            let boxes = (0..<4 * positions).map { _ in Float(generator.below(640)) / 64 }
            let presence = [Float](repeating: 1, count: positions)
            let detector = try Detector(spec, positions: positions)
            var count = 0
            let perImage = try allocations {
                count = try detector.run(logits: logits, boxes: boxes, objectness: presence).count
            }
            #expect(perImage == 0 && count > 0)
        }
    }
#endif
