import Testing

@testable import Contract

/// The whole way with whole images: upright, resized, framed, then channels.
private func tensorByTheText(_ picture: Picture, _ input: Input) -> [UInt8] {
    let geometry = geometry(picture.width, picture.height, picture.orientation, input)
    let frame = geometry.frame
    let upright = Plain(pixels: picture.upright(), width: frame.sourceWidth, height: frame.sourceHeight)
    let scaled = resizeByTheText(upright, frame.scaledWidth, frame.scaledHeight, input.filter)
    var tensor: [UInt8] = []
    for y in 0..<input.height {
        for x in 0..<input.width {
            let isInside =
                (0..<scaled.width).contains(x - frame.left) && (0..<scaled.height).contains(y - frame.top)
            let at = 3 * ((y - frame.top) * scaled.width + x - frame.left)
            let rgb = (0..<3).map { isInside ? Int(scaled.pixels[at + $0]) : frame.pad }
            let levels =
                switch input.channels {
                case .rgb: rgb
                case .bgr: Array(rgb.reversed())
                case .grey: [(19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16]
                }
            tensor += levels.map { UInt8($0) }
        }
    }
    return tensor
}

@Suite struct PreprocessTests {
    @Test func tensorsAreThoseOfTheContract() throws {
        var generator = Generator(7)
        let orientation = try Orientation(quarterTurns: 1, mirrored: true)
        let picture = try Picture(randomImage(&generator, 97, 61), 97, 61, orientation)
        let expected = [
            (try makeInput(32, 24), "474a9921787a020ec4c15d9ceeb7483157a041e7d654f4b8809000714b1b57ef"),
            (
                try makeInput(32, 24, .crop(resizeShorter: 40), .bicubic, .bgr),
                "546ee3989bdec88bb56636d5db67ab6ed48e823ac978bcf7116fd59067cfdf52"
            ),
            (
                try makeInput(32, 24, .letterbox(), .bilinear, .grey),
                "46ccc4e913f307e54eff726990f7d606a4f4195aa8f2fc34efaed492f6561128"
            ),
        ]
        for (input, hash) in expected { #expect(sha256(preprocess(picture, input).tensor) == hash) }
    }

    @Test func rowsOneByOneGiveWhatWholeImagesGive() throws {
        var generator = Generator(11)
        for _ in 0..<400 {
            let width = randomSide(&generator, 70)
            let height = randomSide(&generator, 70)
            let image = randomImage(&generator, width, height)
            let picture = try Picture(image, width, height, randomOrientation(&generator))
            let input = try randomInput(&generator)
            #expect(
                preprocess(picture, input).tensor == tensorByTheText(picture, input),
                "\(width) x \(height), \(picture.orientation), \(input)")
        }
    }

    @Test func cameraFramesGiveWhatTheirPixelsGiveWhateverCameBefore() throws {
        var generator = Generator(12)
        for _ in 0..<200 {
            let preprocessor = Preprocessor(try randomInput(&generator))
            for _ in 0..<3 {
                let width = randomSide(&generator, 50)
                let height = randomSide(&generator, 50)
                let layout: YuvLayout = generator.one()
                let matrix: YuvMatrix = generator.one()
                let range: YuvRange = generator.one()
                let orientation = try randomOrientation(&generator)
                let image = randomImage(&generator, width, height)
                let bytes = rgbToYuv420(image, width, height, layout, matrix, range)
                let pixels = try bytes.withUnsafeBytes {
                    let frame = try yuv420FromBytes($0, width, height, layout)
                    try preprocessor.run(frame, matrix, range, orientation)
                    return try yuv420ToRgb(frame, matrix, range)
                }
                let ofFrame = preprocessor.tensor
                preprocessor.run(try Picture(image, width, height, orientation))
                preprocessor.run(try Picture(pixels, width, height, orientation))
                #expect(preprocessor.tensor == ofFrame)
            }
        }
    }

    @Test func aFlatPictureStaysFlat() throws {
        for level: UInt8 in [0, 1, 128, 254, 255] {
            for filter in Filter.allCases {
                let picture = try Picture(Array(repeating: level, count: 3 * 90 * 41), 90, 41)
                let tensor = preprocess(picture, try makeInput(33, 17, .stretch, filter)).tensor
                #expect(tensor.allSatisfy { $0 == level })
            }
        }
    }

    @Test func aCropOfAHugeScaledImageComputesItsWindowAlone() throws {
        var generator = Generator(3)
        let picture = try Picture(randomImage(&generator, 1, 8000), 1, 8000)
        let (tensor, geometry) = preprocess(picture, try makeInput(224, 224, .crop(resizeShorter: 256)))
        #expect(geometry.frame.scaledHeight == 2_048_000)
        #expect(tensor.count == 224 * 224 * 3)
    }

    @Test func boxesOfTheWholeInputComeBackAsTheWholePicture() throws {
        var generator = Generator(13)
        for _ in 0..<200 {
            let width = randomSide(&generator, 4000)
            let height = randomSide(&generator, 4000)
            let orientation = try randomOrientation(&generator)
            let geometry = geometry(width, height, orientation, try randomInput(&generator))
            let frame = geometry.frame
            let whole = Box(
                x1: Float(frame.left), y1: Float(frame.top), x2: Float(frame.left + frame.scaledWidth),
                y2: Float(frame.top + frame.scaledHeight))
            let stored = Box(x1: 0, y1: 0, x2: Float(width), y2: Float(height))
            #expect(geometry.toStored(whole) == stored)
            #expect(geometry.toStored(Box(x1: -1e9, y1: -1e9, x2: 1e9, y2: 1e9)) == stored)
            let upright = Box(x1: 0, y1: 0, x2: Float(frame.sourceWidth), y2: Float(frame.sourceHeight))
            #expect(geometry.toUpright(whole) == upright)
        }
    }

    @Test func pixelsOverABackground() {
        let rgba: [UInt8] = [10, 20, 30, 0, 10, 20, 30, 255, 100, 100, 100, 127]
        #expect(over(rgba, [255, 0, 7]) == [255, 0, 7, 10, 20, 30, 178, 50, 53])
    }

    @Test func aTensorThatIsHeldIsNotOverwritten() throws {
        let preprocessor = Preprocessor(try makeInput(8, 8))
        preprocessor.run(try Picture(Array(repeating: 10, count: 300), 10, 10))
        let held = preprocessor.tensor
        preprocessor.run(try Picture(Array(repeating: 20, count: 300), 10, 10))
        #expect(held.allSatisfy { $0 == 10 } && preprocessor.tensor.allSatisfy { $0 == 20 })
    }

    @Test func buffersThatAreTooShortAreRefused() throws {
        let preprocessor = Preprocessor(try makeInput(8, 8))
        let bytes = [UInt8](repeating: 0, count: 4 * 9 * 10)
        func sentence(_ width: Int, _ height: Int, _ count: Int, _ stride: Int) -> String {
            refusal {
                try bytes.withUnsafeBytes {
                    let part = UnsafeRawBufferPointer(rebasing: $0[..<count])
                    let frame = PixelFrame(width, height, part, rowStride: stride, order: .bgra)
                    try preprocessor.run(frame, .upright)
                }
            }
        }
        #expect(sentence(0, 3, 90, 40) == "a picture has sides of 1 to 65535 pixels, not 0 x 3")
        #expect(sentence(9, 9, 360, 35) == "a row of 9 pixels has 36 bytes and does not fit row stride 35")
        #expect(sentence(9, 9, 355, 40) == "355 bytes, but 9 x 9 pixels with row stride 40 need 356")
        try bytes.withUnsafeBytes {
            let whole = UnsafeRawBufferPointer(rebasing: $0[..<356])
            try preprocessor.run(PixelFrame(9, 9, whole, rowStride: 40, order: .rgba), .upright)
            let luma = Plane(UnsafeRawBufferPointer(rebasing: $0[..<81]), rowStride: 9)
            let chroma = Plane(UnsafeRawBufferPointer(rebasing: $0[..<49]), rowStride: 10)
            let frame = Yuv420(9, 9, y: luma, cbCr: chroma)
            #expect(
                refusal { try preprocessor.run(frame, .bt601, .full, .upright) }
                    == "plane v: 48 bytes, but 5 x 5 samples with row stride 10 and pixel stride 2 need 49")
        }
    }
}
