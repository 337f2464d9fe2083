import CoreTransferable
import Screens
import SwiftUI
import UIKit
import UniformTypeIdentifiers

/// The still image with its boxes, as a PNG for whom a person shares it with; drawn when it is asked for.
struct SharedPicture: Transferable {
    let image: Pixels
    let seen: Seen
    let name: String

    static var transferRepresentation: some TransferRepresentation {
        DataRepresentation(exportedContentType: .png) { picture in try await picture.png() }
            .suggestedFileName { "\($0.name).png" }
    }

    /// - Throws: there is not enough memory.
    @MainActor
    func png() throws -> Data {
        let page = paper(width: image.width, height: image.height)
        let drawing = ZStack {
            if let shown = image.cgImage { Image(decorative: shown, scale: 1).resizable() }
            Boxes(seen: seen, captioned: true)
        }
        let renderer = ImageRenderer(content: drawing.frame(width: CGFloat(page.width), height: CGFloat(page.height)))
        renderer.scale = CGFloat(page.scale)
        guard let png = renderer.uiImage?.pngData() else { throw CocoaError(.fileWriteOutOfSpace) }
        return png
    }
}
