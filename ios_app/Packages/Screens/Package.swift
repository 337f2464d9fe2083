// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Screens",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "Screens", targets: ["Screens"])],
    dependencies: [.package(path: "../Contract"), .package(path: "../Engines")],
    targets: [
        .target(name: "Screens", dependencies: ["Contract", "Engines"]),
        .testTarget(name: "ScreensTests", dependencies: ["Screens"]),
    ],
    swiftLanguageModes: [.v6]
)
