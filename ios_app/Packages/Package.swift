// swift-tools-version: 6.0
import PackageDescription

// All packages beside this file as one, for the tests on Linux: each module is compiled once. The app uses them one by
// one. Host links LiteRT's library: give its folder with -Xlinker -L.
let package = Package(
    name: "Packages",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.executable(name: "Host", targets: ["Host"])],
    targets: [
        .target(name: "Contract", path: "Contract/Sources/Contract"),
        .target(name: "Engines", dependencies: ["Contract"], path: "Engines/Sources/Engines"),
        .testTarget(name: "EnginesTests", dependencies: ["Engines"], path: "Engines/Tests/EnginesTests"),
        .target(name: "LiteRtC", path: "LiteRTEngine/Sources/LiteRtC"),
        .target(
            name: "LiteRTEngine", dependencies: ["LiteRtC", "Engines"], path: "LiteRTEngine/Sources/LiteRTEngine"),
        .executableTarget(
            name: "Host", dependencies: ["LiteRTEngine"], path: "LiteRTEngine/Sources/Host",
            linkerSettings: [.linkedLibrary("LiteRt")]),
        .target(name: "Screens", dependencies: ["Engines"], path: "Screens/Sources/Screens"),
        .testTarget(name: "ScreensTests", dependencies: ["Screens"], path: "Screens/Tests/ScreensTests"),
    ],
    swiftLanguageModes: [.v6]
)
