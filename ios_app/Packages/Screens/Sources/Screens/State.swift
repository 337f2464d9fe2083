import Contract
import Engines

/// A bundle that can be chosen.
public struct BundleChoice: Equatable, Sendable {
    public let name: String
    public let task: ModelTask
    public let labels: Int
    /// From a file that the person picked, not part of the app.
    public let opened: Bool
    /// The least score (0...1) of what the model finds, by its own spec; nil where there is none.
    public let threshold: Float?

    public init(name: String, task: ModelTask, labels: Int, opened: Bool, threshold: Float? = nil) {
        self.name = name
        self.task = task
        self.labels = labels
        self.opened = opened
        self.threshold = threshold
    }
}

/// An artifact that can be chosen.
public struct ArtifactChoice: Equatable, Sendable {
    public let name: String
    public let runtime: String
    public let precision: String
    /// The verdict of the server's checks; nil where it has none.
    public let passed: Bool?

    public init(name: String, runtime: String, precision: String, passed: Bool?) {
        self.name = name
        self.runtime = runtime
        self.precision = precision
        self.passed = passed
    }
}

/// Where images come from now.
public enum Source: Equatable, Sendable {
    case camera, photo
}

/// What is known of the camera.
public enum CameraState: Equatable, Sendable {
    case on, asked, denied, absent
    /// It gives no more frames, with one sentence why.
    case failed(String)
}

/// What the camera that runs can do.
public struct Lens: Equatable, Sendable {
    /// There is a camera on the other side too.
    public var switchable = false
    /// It has a light that stays on.
    public var torch = false
    public var leastZoom: Float = 1
    /// 1: it does not zoom.
    public var mostZoom: Float = 1
    /// Width by height of its upright images.
    public var aspect: Float = 3.0 / 4

    public init(
        switchable: Bool = false, torch: Bool = false, leastZoom: Float = 1, mostZoom: Float = 1,
        aspect: Float = 3.0 / 4
    ) {
        self.switchable = switchable
        self.torch = torch
        self.leastZoom = leastZoom
        self.mostZoom = mostZoom
        self.aspect = aspect
    }

    public var zooms: Bool { mostZoom > leastZoom }
}

/// The model in memory, or why there is none.
public enum Model: Equatable, Sendable {
    /// Nothing was chosen yet.
    case none
    case loading
    /// The system ran low of memory and took it.
    case released
    /// Trials of all units in the order in which they were requested, and what the runtime plans to run where.
    case ready(Placed, plan: String?)
    case failed(String)

    public var placed: Placed? {
        if case .ready(let placed, _) = self { return placed }
        return nil
    }
}

/// Milliseconds of one image: to make the input tensor, to run the network, to read its outputs.
public struct Latency: Equatable, Sendable {
    public let preprocess: Float
    public let network: Float
    public let answers: Float

    public init(preprocess: Float, network: Float, answers: Float) {
        self.preprocess = preprocess
        self.network = network
        self.answers = answers
    }

    public var sum: Float { preprocess + network + answers }
}

/// What a self-test found.
public struct TestResult: Sendable {
    public let runs: [UnitRun]
    public let judgement: Judgement

    public init(runs: [UnitRun], judgement: Judgement) {
        self.runs = runs
        self.judgement = judgement
    }
}

/// The self-test's state.
public enum SelfTest: Sendable {
    case idle
    case running(done: Int, total: Int, what: String)
    case done(TestResult)
    case failed(String)
}

/// What was seen last.
public struct Seen: Equatable, Sendable {
    /// Boxes in pixels of the upright image.
    public var answers: [Answer]
    /// Of the upright image.
    public let width: Int
    /// Of the upright image.
    public let height: Int

    public init(answers: [Answer], width: Int, height: Int) {
        self.answers = answers
        self.width = width
        self.height = height
    }
}

/// How many images' latencies are kept.
public let history = 60

/// All that the screens show.
public struct State: Sendable {
    public var bundles: [BundleChoice] = []
    public var bundle: String?
    public var artifacts: [ArtifactChoice] = []
    public var artifact: String?
    /// Artifacts that are not offered here, a sentence each.
    public var notOffered: [String] = []
    /// That is asked for; nil: the best one that works.
    public var unit: ComputeUnit?
    public var source = Source.camera
    public var camera = CameraState.asked
    /// The camera that looks at the person is asked for.
    public var front = false
    public var lens = Lens()
    public var zoom: Float = 1
    public var torch = false
    /// The camera's image stands still.
    public var paused = false
    /// The image that is shown is the very one that was looked at.
    public var still = false
    /// The least score that is asked for; nil: the model's own.
    public var threshold: Float?
    public var model = Model.loading
    public var seen: Seen?
    /// Of the last images, the newest last.
    public var latencies: [Latency] = []
    /// The phone is hot, and slows itself down.
    public var hot = false
    /// The self-test's screen is shown.
    public var testing = false
    public var selfTest = SelfTest.idle
    /// What the person calls the file that becomes a bundle now.
    public var opening: String?
    /// One sentence about what went wrong last, until it is dismissed.
    public var problem: String?
    /// One sentence about what was done, likewise.
    public var success: String?

    public init() {}

    /// The chosen bundle.
    public var chosen: BundleChoice? { bundles.first { $0.name == bundle } }

    /// There is an image to look at, or will be.
    public var seeing: Bool { source == .photo || camera == .on }

    /// The camera's image moves.
    public var live: Bool { source == .camera && camera == .on && !paused }

    /// The tasks of the bundles, each once.
    public var tasks: [ModelTask] { ModelTask.allCases.filter { task in bundles.contains { $0.task == task } } }
}

/// What a person asks for.
public enum Event: Equatable, Sendable {
    case chooseTask(ModelTask)
    case chooseBundle(String)
    case chooseArtifact(String)
    case chooseUnit(ComputeUnit?)
    /// Of one that was opened.
    case removeBundle(String)
    case useCamera
    case retryCamera
    case switchCamera
    case pause
    case resume
    /// Of the zoom that is now, such as by two fingers.
    case zoomBy(Float)
    case zoomTo(Float)
    case torch(Bool)
    /// nil: the model's own.
    case chooseThreshold(Float?)
    case showSelfTest
    case loadAgain
    case runSelfTest
    case cancelSelfTest
    case back
    case dismiss
}
