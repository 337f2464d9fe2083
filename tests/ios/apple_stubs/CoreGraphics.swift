import Foundation

@_exported import CoreVideo

public final class CGImage {
    public var width: Int { 0 }
    public var height: Int { 0 }
}

public final class CGColorSpace {
    public static let sRGB: CFString = ""
    public init?(name: CFString) {}
}

public enum CGImageAlphaInfo: UInt32, Sendable { case none, premultipliedLast }

public enum CGBlendMode: Sendable { case normal, copy }

public final class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: UInt32
    ) {}
    public func setBlendMode(_ mode: CGBlendMode) {}
    public func draw(_ image: CGImage, in place: CGRect) {}
}
