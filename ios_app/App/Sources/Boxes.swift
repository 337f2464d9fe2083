import Contract
import Screens
import SwiftUI

/// Boxes over an image that fills this view.
struct Boxes: View {
    let seen: Seen
    /// The best answer is written into the corner where answers have no boxes, as for a picture that stands alone.
    var captioned = false

    var body: some View {
        Canvas { context, size in
            let scale = size.width / CGFloat(max(1, seen.width))
            if captioned, let best = seen.answers.first, best.box == nil {
                draw(best, at: .zero, in: context, size)
            }
            // The best is drawn last, above the others.
            for answer in seen.answers.reversed() {
                guard let box = answer.box else { continue }
                let place = CGRect(
                    x: CGFloat(box.x1) * scale, y: CGFloat(box.y1) * scale, width: CGFloat(box.x2 - box.x1) * scale,
                    height: CGFloat(box.y2 - box.y1) * scale)
                let frame = Path(roundedRect: place, cornerRadius: 4)
                context.stroke(frame, with: .color(hue(answer.index)), lineWidth: 3)
                draw(answer, at: place.origin, in: context, size)
            }
        }
        .accessibilityHidden(true)
    }

    /// Above a corner, or below it where there is no room above.
    private func draw(_ answer: Answer, at corner: CGPoint, in context: GraphicsContext, _ size: CGSize) {
        let label = context.resolve(Text(spoken(answer)).font(.caption.bold()).foregroundStyle(.black))
        let room = label.measure(in: size)
        let left = min(corner.x, max(0, size.width - room.width))
        let top = max(0, corner.y - room.height)
        let ground = Path(CGRect(origin: CGPoint(x: left, y: top), size: room))
        context.fill(ground, with: .color(hue(answer.index)))
        context.draw(label, at: CGPoint(x: left, y: top), anchor: .topLeading)
    }
}

/// One colour for each class, far from its neighbours'.
func hue(_ index: Int) -> Color {
    Color(hue: (Double(index) * 0.618).truncatingRemainder(dividingBy: 1), saturation: 0.6, brightness: 1)
}
