// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Engines",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "Engines", targets: ["Engines"])],
    dependencies: [.package(path: "../Contract")],
    targets: [
        .target(name: "Engines", dependencies: ["Contract"]),
        .testTarget(name: "EnginesTests", dependencies: ["Engines"]),
    ],
    swiftLanguageModes: [.v6]
)
