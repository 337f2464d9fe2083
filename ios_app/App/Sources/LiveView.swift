import Contract
import PhotosUI
import Screens
import SwiftUI

/// Full-screen image with boxes in place, what is touched over it, and all else in a sheet.
struct LiveView: View {
    let screen: ScreenModel
    @State private var photo: PhotosPickerItem?
    /// Of the pinch that is under way.
    @State private var zoomBefore: Float?
    @State private var detent = PresentationDetent.height(112)
    @Environment(\.horizontalSizeClass) private var width
    @Environment(\.verticalSizeClass) private var height

    private var isWide: Bool { width == .regular || height == .compact }

    var body: some View {
        // Black by day too: an image looks its best on black, and what lies over it is made for that.
        Group {
            if isWide {
                HStack(spacing: 0) {
                    viewfinder
                    ScrollView { StoryView(screen: screen).padding() }.frame(width: 340).background(.background)
                }
            } else {
                viewfinder.sheet(isPresented: .constant(!screen.state.testing)) {
                    ScrollView { StoryView(screen: screen).padding() }
                        .presentationDetents([.height(112), .medium, .large], selection: $detent)
                        .presentationBackgroundInteraction(.enabled(upThrough: .medium))
                        .interactiveDismissDisabled()
                }
            }
        }
        .onChange(of: photo) { _, item in load(item) }
    }

    private var viewfinder: some View {
        ZStack {
            Color.black.ignoresSafeArea()
            if screen.state.seeing { picture } else { NoCamera(screen: screen) }
            VStack {
                TopControls(screen: screen)
                Spacer()
                if screen.state.seeing { MainControls(screen: screen, photo: $photo) }
            }
            .padding()
            .padding(.bottom, isWide ? 0 : 112)
        }
        .environment(\.colorScheme, .dark)
    }

    private var picture: some View {
        ZStack {
            if let image = screen.image, let shown = image.cgImage {
                Image(decorative: shown, scale: 1).resizable()
            } else {
                CameraPreview(session: screen.camera.session)
            }
            if let seen = screen.state.seen { Boxes(seen: seen) }
        }
        .aspectRatio(aspect, contentMode: .fit)
        .gesture(
            MagnifyGesture()
                .onChanged { pinch in
                    // Its magnification counts from where the fingers began.
                    let start = zoomBefore ?? screen.state.zoom
                    zoomBefore = start
                    screen.send(.zoomTo(start * Float(pinch.magnification)))
                }
                .onEnded { _ in zoomBefore = nil }
        )
        .accessibilityElement(children: .ignore)
        .accessibilityLabel(description(screen.state))
        .accessibilityAddTraits(.isImage)
    }

    private var aspect: CGFloat {
        guard let seen = screen.state.seen else { return CGFloat(screen.state.lens.aspect) }
        return CGFloat(seen.width) / CGFloat(max(1, seen.height))
    }

    private func load(_ item: PhotosPickerItem?) {
        guard let item else { return }
        Task {
            let data = try? await item.loadTransferable(type: Data.self)
            screen.photo(data, "the photo")
            photo = nil
        }
    }
}

extension Pixels {
    /// For the screen.
    var cgImage: CGImage? {
        guard let provider = CGDataProvider(data: Data(rgb) as CFData),
            let space = CGColorSpace(name: CGColorSpace.sRGB)
        else { return nil }
        return CGImage(
            width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 24, bytesPerRow: 3 * width, space: space,
            bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.none.rawValue), provider: provider, decode: nil,
            shouldInterpolate: true, intent: .defaultIntent)
    }
}

/// What stands in the place of the camera's image, and the way on.
private struct NoCamera: View {
    let screen: ScreenModel

    var body: some View {
        let words = noCamera(screen.state.camera)
        ContentUnavailableView {
            Label(words.title, systemImage: "camera")
        } description: {
            Text(words.sentence)
        } actions: {
            switch screen.state.camera {
            case .asked: Button("Allow the camera") { screen.allowCamera() }.buttonStyle(.borderedProminent)
            case .denied: Button("Open the settings") { screen.allowCamera() }.buttonStyle(.borderedProminent)
            case .failed: Button("Try again") { screen.send(.retryCamera) }.buttonStyle(.borderedProminent)
            case .on, .absent: SwiftUI.EmptyView()
            }
        }
    }
}

/// The model's name, torch and side.
private struct TopControls: View {
    let screen: ScreenModel

    var body: some View {
        let state = screen.state
        HStack {
            Text(state.bundle ?? appName).font(.headline).lineLimit(1).padding(.horizontal, 16).padding(.vertical, 10)
                .background(.black.opacity(0.55), in: .capsule).foregroundStyle(.white)
                .accessibilityAddTraits(.isHeader)
            Spacer()
            if state.live && state.lens.torch {
                Round(state.torch ? "Torch off" : "Torch on", state.torch ? "bolt.fill" : "bolt.slash") {
                    screen.send(.torch(!state.torch))
                }
            }
            if state.lens.switchable && (state.live || failed) {
                Round(state.front ? "Switch to the back camera" : "Switch to the front camera", "camera.rotate") {
                    screen.send(.switchCamera)
                }
            }
        }
    }

    /// Another camera may work where this one failed.
    private var failed: Bool {
        if case .failed = screen.state.camera { return screen.state.source == .camera }
        return false
    }
}

/// The one large button, which stops the moving image or brings it back, and what there is to do beside it.
private struct MainControls: View {
    let screen: ScreenModel
    @Binding var photo: PhotosPickerItem?

    var body: some View {
        let state = screen.state
        HStack {
            PhotosPicker(selection: $photo, matching: .images) { RoundIcon("photo") }.accessibilityLabel(
                "Choose a photo")
            Spacer()
            if state.source == .photo {
                Large("Back to the camera", "camera") { screen.send(.useCamera) }
            } else if state.paused {
                Large("Go on", "play.fill") { screen.send(.resume) }
            } else {
                Large("Pause", "pause.fill") { screen.send(.pause) }
            }
            Spacer()
            if state.still, let seen = state.seen, screen.image != nil {
                share(state, seen)
            } else if state.live && state.lens.zooms {
                Button {
                    screen.send(.zoomTo(nextZoom(state)))
                } label: {
                    Text(ratio(state.zoom)).font(.caption.bold()).frame(width: 48, height: 48)
                        .background(.black.opacity(0.55), in: .circle).foregroundStyle(.white)
                }
                .accessibilityLabel("Zoom \(ratio(state.zoom))")
            } else {
                Color.clear.frame(width: 48, height: 48)
            }
        }
        .frame(maxWidth: 420)
    }

    /// The image with its boxes, and the answers as text.
    @ViewBuilder private func share(_ state: Screens.State, _ seen: Seen) -> some View {
        if let image = screen.image {
            let title = state.bundle ?? appName
            let picture = SharedPicture(image: image, seen: seen, name: title)
            ShareLink(
                item: picture, message: Text(answersAsText(state, seen)), preview: SharePreview(title)
            ) { RoundIcon("square.and.arrow.up") }
            .accessibilityLabel("Share the results")
        }
    }
}

private struct Round: View {
    let title: LocalizedStringKey
    let icon: String
    let act: () -> Void

    init(_ title: LocalizedStringKey, _ icon: String, _ act: @escaping () -> Void) {
        self.title = title
        self.icon = icon
        self.act = act
    }

    var body: some View { Button(action: act) { RoundIcon(icon) }.accessibilityLabel(title) }
}

/// On a dark ground of its own, since images may be bright.
private struct RoundIcon: View {
    let icon: String

    init(_ icon: String) { self.icon = icon }

    var body: some View {
        Image(systemName: icon).frame(width: 48, height: 48).background(.black.opacity(0.55), in: .circle)
            .foregroundStyle(.white)
    }
}

private struct Large: View {
    let title: LocalizedStringKey
    let icon: String
    let act: () -> Void

    init(_ title: LocalizedStringKey, _ icon: String, _ act: @escaping () -> Void) {
        self.title = title
        self.icon = icon
        self.act = act
    }

    var body: some View {
        Button(action: act) {
            Image(systemName: icon).font(.title).frame(width: 72, height: 72).background(.white, in: .circle)
                .foregroundStyle(.black)
        }
        .accessibilityLabel(title)
    }
}
