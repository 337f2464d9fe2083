import Contract
import CoreGraphics
import Foundation
import ImageIO
import Screens

private let longestSide = 4096

/// Photos in sRGB, not premultiplied, transparent pixels over the spec's background, turned by EXIF.
struct PhotoReader: Photos {
    func read(_ photo: Picked, _ background: [Int]) throws -> Picture {
        guard let source = CGImageSourceCreateWithURL(URL(fileURLWithPath: photo.path) as CFURL, nil),
            CGImageSourceGetCount(source) > 0
        else {
            throw SamesightError(
                localized("%@: is no image that this device reads; choose a JPEG or a PNG", photo.name))
        }
        let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any]
        let exif = (properties?[kCGImagePropertyOrientation] as? NSNumber)?.intValue
        guard let image = decoded(source, properties) else {
            throw SamesightError(localized("%@: is damaged, only its size can be read; choose another", photo.name))
        }
        let rgba = try pixels(image, photo.name)
        return try Picture(over(rgba, background), image.width, image.height, .fromExif(exif))
    }

    /// As stored; a larger one than a phone has memory for is made smaller by the decoder.
    private func decoded(_ source: CGImageSource, _ properties: [CFString: Any]?) -> CGImage? {
        let sides = [kCGImagePropertyPixelWidth, kCGImagePropertyPixelHeight].map {
            (properties?[$0] as? NSNumber)?.intValue ?? 0
        }
        if max(sides[0], sides[1]) <= longestSide { return CGImageSourceCreateImageAtIndex(source, 0, nil) }
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceThumbnailMaxPixelSize: longestSide,
            kCGImageSourceCreateThumbnailWithTransform: false,
        ]
        return CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
    }

    private func pixels(_ image: CGImage, _ name: String) throws -> [UInt8] {
        var rgba = [UInt8](repeating: 0, count: 4 * image.width * image.height)
        let drawn = rgba.withUnsafeMutableBytes { memory -> Bool in
            guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: memory.baseAddress, width: image.width, height: image.height, bitsPerComponent: 8,
                    bytesPerRow: 4 * image.width, space: space, bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
            else { return false }
            context.setBlendMode(.copy)
            context.draw(image, in: CGRect(x: 0, y: 0, width: image.width, height: image.height))
            return true
        }
        if !drawn {
            throw SamesightError(localized("not enough memory; close other apps, or take a smaller image or model"))
        }
        // Core Graphics draws into premultiplied pixels alone.
        for at in stride(from: 0, to: rgba.count, by: 4) where rgba[at + 3] != 255 && rgba[at + 3] != 0 {
            let alpha = Int(rgba[at + 3])
            for c in 0..<3 { rgba[at + c] = UInt8(min(255, (Int(rgba[at + c]) * 255 + alpha / 2) / alpha)) }
        }
        return rgba
    }
}
