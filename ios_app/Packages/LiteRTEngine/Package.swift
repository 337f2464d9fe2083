// swift-tools-version: 6.0
import PackageDescription

// Opt-in: the app builds without it. It needs LiteRT's library, which is not part of this repository: on iOS as a
// framework that the app embeds (docs/on-a-phone.md). ../Package.swift has it and Host, the app's self-test on Linux.
let package = Package(
    name: "LiteRTEngine",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "LiteRTEngine", targets: ["LiteRTEngine"])],
    dependencies: [.package(path: "../Contract"), .package(path: "../Engines")],
    targets: [
        // Declarations alone: LiteRT's C API as of 2.3.
        .target(name: "LiteRtC"),
        .target(name: "LiteRTEngine", dependencies: ["LiteRtC", "Contract", "Engines"]),
    ],
    swiftLanguageModes: [.v6]
)
