import Screens
import SwiftUI

@main
struct SamesightApp: App {
    @State private var screen = ScreenModel()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            RootView(screen: screen)
                .onOpenURL { screen.open($0) }
                .onChange(of: phase, initial: true) { _, now in screen.phaseIs(now) }
        }
    }
}

/// The live screen, or what stands in its place.
struct RootView: View {
    let screen: ScreenModel

    var body: some View {
        Group {
            if screen.state.bundles.isEmpty {
                EmptyView(screen: screen)
            } else {
                LiveView(screen: screen)
            }
        }
        .overlay(alignment: .top) { Notices(screen: screen) }
        .fileImporter(isPresented: Bindable(screen).opensBundle, allowedContentTypes: [.zip, .data]) {
            screen.picked($0)
        }
        .sheet(isPresented: Bindable(screen).testing) { SelfTestView(screen: screen) }
    }
}

/// Without any bundle there is nothing to run.
private struct EmptyView: View {
    let screen: ScreenModel

    var body: some View {
        // At the start they are still being read.
        if screen.state.model != .loading {
            ContentUnavailableView {
                Label(noBundles.title, systemImage: "shippingbox")
            } description: {
                Text(noBundles.sentence)
            } actions: {
                Button("Open a packed bundle") { screen.opensBundle = true }.buttonStyle(.borderedProminent)
            }
        }
    }
}

/// What is told on every screen: what went wrong, what was done, what is waited for.
struct Notices: View {
    let screen: ScreenModel

    var body: some View {
        VStack(spacing: 12) {
            if let problem = screen.state.problem { notice(problem, .red) }
            if let success = screen.state.success { notice(success, .green) }
            if let waits = waiting(screen.state) {
                ProgressView { Text(waits) }.padding().background(.regularMaterial, in: .rect(cornerRadius: 12))
            }
        }
        .padding()
    }

    private func notice(_ sentence: String, _ color: Color) -> some View {
        HStack(alignment: .top) {
            Text(sentence).font(.callout).frame(maxWidth: .infinity, alignment: .leading)
            Button("Dismiss", systemImage: "xmark") { screen.send(.dismiss) }.labelStyle(.iconOnly)
        }
        .padding()
        .foregroundStyle(.white)
        .background(color.gradient, in: .rect(cornerRadius: 12))
        .accessibilityElement(children: .contain)
        .onAppear { AccessibilityNotification.Announcement(sentence).post() }
    }
}
