// swift-tools-version: 6.0
import PackageDescription

// Opt-in: the app builds without it. ExecuTorch's backends register themselves when the program starts, so an app that
// uses this links with -all_load (docs/on-a-phone.md).
let package = Package(
    name: "ExecuTorchEngine",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "ExecuTorchEngine", targets: ["ExecuTorchEngine"])],
    dependencies: [
        .package(path: "../Contract"),
        .package(path: "../Engines"),
        .package(url: "https://github.com/pytorch/executorch", branch: "swiftpm-1.5.1"),
    ],
    targets: [
        .target(
            name: "ExecuTorchEngine",
            dependencies: [
                "Contract", "Engines",
                .product(name: "executorch", package: "executorch"),
                .product(name: "backend_xnnpack", package: "executorch"),
                .product(name: "backend_coreml", package: "executorch"),
                .product(name: "kernels_optimized", package: "executorch"),
                .product(name: "kernels_quantized", package: "executorch"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
