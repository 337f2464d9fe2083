// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Contract",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "Contract", targets: ["Contract"])],
    targets: [
        .target(name: "Contract"),
        // What tests/ios runs: the same cases as Python and Kotlin, one line of text each.
        .executableTarget(name: "Parity", dependencies: ["Contract"]),
        // What ios_app/benchmark.py runs.
        .executableTarget(name: "Benchmark", dependencies: ["Contract"]),
        // Counts calls of malloc, for the tests on Linux.
        .target(name: "CountedMalloc", path: "Tests/CountedMalloc"),
        .testTarget(name: "ContractTests", dependencies: ["Contract", "CountedMalloc"]),
    ],
    swiftLanguageModes: [.v6]
)
