import Contract
import Engines

// What the controller needs of the system around it; tests have their own.

/// A bundle that can be chosen.
public struct Shelved: Sendable {
    public let bundle: ModelBundle
    /// From a file that a person picked, not part of the app.
    public let opened: Bool

    public init(_ bundle: ModelBundle, opened: Bool) {
        self.bundle = bundle
        self.opened = opened
    }
}

/// A file that a person picked, and what it is called.
public struct Picked: Equatable, Sendable {
    public let name: String
    public let path: String

    public init(name: String, path: String) {
        self.name = name
        self.path = path
    }
}

/// Where bundles come from. Its calls read whole files and take a while.
public protocol Shelf: Sendable {
    /// Every bundle that can be opened, one of each name; for each other one a sentence.
    func all() throws -> (bundles: [Shelved], problems: [String])

    /// Keeps what `samesight pack` made; a bundle of the same name that was opened before is replaced.
    ///
    /// - Throws: ``SamesightError`` it cannot be read or is not whole; then nothing is kept of it.
    func take(_ packed: Picked) throws -> Shelved

    /// Removes a bundle that ``take(_:)`` kept; the app's own of that name, which it hid, is there again.
    ///
    /// - Throws: ``SamesightError`` the system does not let it go.
    func remove(_ name: String) throws
}

/// What a person chose, kept for the next start.
public struct Choices: Equatable, Sendable {
    public var bundle: String?
    public var artifact: String?
    public var unit: ComputeUnit?

    public init(bundle: String? = nil, artifact: String? = nil, unit: ComputeUnit? = nil) {
        self.bundle = bundle
        self.artifact = artifact
        self.unit = unit
    }
}

/// Keeps ``Choices``.
@MainActor
public protocol Memory: AnyObject {
    var choices: Choices { get set }
}

/// What runs artifacts on this device.
public protocol Runtimes: Sendable {
    /// By the format that they take.
    var openers: [String: any Opener] { get }

    var device: Device { get }

    /// Of earlier starts; nil keeps none.
    var notes: TrialNotes? { get }

    /// The version of the system, such as 17.0.
    var system: String { get }
}

/// Decodes photos.
public protocol Photos: Sendable {
    /// - Parameter background: RGB, each 0...255, for what is transparent.
    /// - Throws: ``SamesightError`` not an image that this device reads; one sentence with the file's name.
    func read(_ photo: Picked, _ background: [Int]) throws -> Picture
}

/// The pixels of one camera frame, which nobody changes while this is held.
public protocol FramePixels: Sendable {
    /// Of the frame as the sensor gives it.
    var width: Int { get }
    /// Of the frame as the sensor gives it.
    var height: Int { get }

    /// Fills the preprocessor's tensor.
    ///
    /// - Throws: ``SamesightError`` the planes are too short.
    func prepare(_ preprocessor: Preprocessor, _ orientation: Orientation) throws -> Geometry

    /// RGB bytes [height, width, 3].
    func rgb() throws -> [UInt8]
}

/// One frame of a camera.
public struct CameraFrame: Sendable {
    public let pixels: any FramePixels
    /// What makes it upright as the device is held now.
    public let orientation: Orientation
    /// People expect to see it as in a mirror; the network sees the world as it is.
    public let mirror: Bool

    public init(_ pixels: any FramePixels, _ orientation: Orientation, mirror: Bool) {
        self.pixels = pixels
        self.orientation = orientation
        self.mirror = mirror
    }

    var uprightWidth: Int { orientation.uprightWidth(pixels.width, pixels.height) }

    var uprightHeight: Int { orientation.uprightHeight(pixels.width, pixels.height) }
}

/// An image for people, upright: RGB bytes [height, width, 3].
public struct Pixels: Equatable, Sendable {
    public let rgb: [UInt8]
    public let width: Int
    public let height: Int
}

/// What is shown at one moment: `image` is the one whose answers `state` has.
public struct Moment: Sendable {
    public var state: State
    public var image: Pixels?
}

/// Whether a system of this version is too old for an artifact, in a sentence; nil where it is not.
public func tooOld(_ artifact: Artifact, _ system: String) -> String? {
    guard let least = artifact.osMinimum["ios"], isOlder(system, least) else { return nil }
    return localized("%@ needs iOS %@, and this device has iOS %@", artifact.name, least, system)
}

private func isOlder(_ version: String, _ least: String) -> Bool {
    func numbers(_ text: String) -> [Int] { text.split(separator: ".").map { Int($0) ?? 0 } }
    let (mine, theirs) = (numbers(version), numbers(least))
    for place in 0..<max(mine.count, theirs.count) {
        let (one, other) = (place < mine.count ? mine[place] : 0, place < theirs.count ? theirs[place] : 0)
        if one != other { return one < other }
    }
    return false
}
