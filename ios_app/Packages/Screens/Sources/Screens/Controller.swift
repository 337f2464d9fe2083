import Contract
import Engines

/// All that the app does, without its system: takes what a person asks for and images, tells what is to be shown.
///
/// Its functions return at once; no failure leaves them but as a sentence in the state.
@MainActor
public final class Controller {
    /// What is to be shown now.
    public private(set) var moment = Moment(state: State(), image: nil)

    /// Is told every new moment, in their order.
    public var listener: ((Moment) -> Void)? {
        didSet { listener?(moment) }
    }

    let shelf: any Shelf
    let runtimes: any Runtimes
    let photos: any Photos
    let models: Models
    /// Bundles one thing after the other.
    private var shelving: Task<Void, Never>?
    var testing: Task<Void, Never>?
    var tests = 0
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var started = 0
    var analyzing = false
    var photo: Picked?
    var kept: CameraFrame?
    var parity: DeviceParity?
    var wakes = false

    /// - Parameter clock: nanoseconds.
    public init(
        shelf: any Shelf, runtimes: any Runtimes, photos: any Photos, memory: any Memory,
        clock: @escaping @Sendable () -> Int = uptime
    ) {
        self.shelf = shelf
        self.runtimes = runtimes
        self.photos = photos
        models = Models(shelf, runtimes, memory, clock)
    }

    var state: State { moment.state }

    /// `device-parity.json` of the last self-test of the chosen bundle; nil before one.
    public var results: String? { parity?.toJson() }

    /// Reads the bundles and loads what was chosen last.
    public func start() { onShelf { await self.list() } }

    /// Loads the model again that ``release()`` took out of memory while nobody looked.
    public func wake() {
        if wakes { load() }
    }

    /// Gives the model's memory back, because the system runs low. Where somebody looks, a tap alone loads it again: the
    /// next frame would take the memory just when it is short.
    ///
    /// - Parameter hidden: nobody looks now.
    public func release(hidden: Bool = false) {
        models.cancel()
        wakes = hidden
        if state.model.placed != nil || state.model == .loading { change { $0.model = .released } }
        run { await self.models.release() }
    }

    /// Does what a person asks for.
    public func onEvent(_ event: Event) {
        switch event {
        case .chooseTask(let task): state.bundles.first { $0.task == task }.map { choose($0.name) }
        case .chooseBundle(let name): choose(name)
        case .chooseArtifact(let name): changeModel { $0.artifact = name }
        case .chooseUnit(let unit): changeModel { $0.unit = unit }
        case .removeBundle(let name): remove(name)
        case .useCamera, .resume: moving { _ in }
        case .retryCamera: cameraIs(.on)
        case .switchCamera:
            moving { state in
                state.front.toggle()
                if case .failed = state.camera { state.camera = .on }
                state.zoom = 1
                state.torch = false
            }
        case .pause:
            if state.live { change { $0.paused = true } }
        case .zoomBy(let factor): zoom(state.zoom * factor)
        case .zoomTo(let ratio): zoom(ratio)
        case .torch(let on): change { $0.torch = on && $0.lens.torch }
        case .chooseThreshold(let least): ask(least)
        case .showSelfTest: change { $0.testing = true }
        case .back:
            cancelTest()
            change { $0.testing = false }
        case .loadAgain: load()
        case .runSelfTest: test()
        case .cancelSelfTest: cancelTest()
        case .dismiss:
            change { state in
                state.problem = nil
                state.success = nil
            }
        }
    }

    /// Tells what went wrong outside.
    public func problem(_ sentence: String) { change { $0.problem = sentence } }

    /// Tells what was done outside.
    public func success(_ sentence: String) { change { $0.success = sentence } }

    /// Tells what is known of the camera. What was seen last goes with one that failed, so that nobody takes it for what
    /// the camera sees now; a photo, or an image that stands still, stays.
    public func cameraIs(_ camera: CameraState) {
        if state.camera == camera { return }
        if case .failed = camera, state.source == .camera, !state.still {
            moving { $0.camera = camera }
        } else {
            change { $0.camera = camera }
        }
    }

    /// A camera begins, which can do this.
    public func lensIs(_ lens: Lens) {
        change { $0.lens = lens }
        zoom(state.zoom)
    }

    /// The phone's heat.
    public func heatIs(_ hot: Bool) {
        if state.hot != hot { change { $0.hot = hot } }
    }

    /// Takes in a packed bundle and chooses it.
    public func onBundle(_ picked: Picked) {
        onShelf {
            self.change { $0.opening = picked.name }
            let shelf = self.shelf
            do {
                let taken = try await away { try shelf.take(picked) }
                let bundles = self.models.add(taken)
                self.change { state in
                    state.bundles = bundles
                    state.opening = nil
                }
                self.choose(taken.bundle.spec.name)
            } catch {
                self.change { $0.opening = nil }
                throw error
            }
        }
    }

    /// Ends when nothing is under way any more.
    public func settled() async {
        while let (id, task) = tasks.first {
            await task.value
            tasks[id] = nil
        }
    }

    func list() async {
        let read = await models.list()
        change { state in
            state.bundles = read.bundles
            state.bundle = nil
            state.artifacts = []
            state.artifact = nil
            state.notOffered = []
            state.unit = self.models.rememberedUnit
            state.model = .none
            if let problem = read.problem { state.problem = problem }
        }
        if let next = read.next { choose(next) }
    }

    func remove(_ name: String) {
        onShelf {
            self.models.cancel()
            await self.models.release()
            let shelf = self.shelf
            do {
                try await away { try shelf.remove(name) }
            } catch {
                if let told = sentence(error) { self.problem(told) }
            }
            await self.list()
        }
    }

    func choose(_ name: String) {
        parity = nil
        cancelTest()
        run { try await self.models.ask(nil) }
        changeModel { state in
            self.models.choose(name, &state)
            state.selfTest = .idle
            state.threshold = nil
        }
    }

    func changeModel(_ choice: (inout State) -> Void) {
        models.forget()
        // What the model before said is not what this one says.
        change { state in
            choice(&state)
            state.latencies = []
            state.seen?.answers = []
        }
        load()
    }

    func load() {
        wakes = false
        change { $0.model = .loading }
        track(
            models.load(state) { model in
                self.change { $0.model = model }
                self.analyzeAgain()
            })
    }

    func ask(_ least: Float?) {
        change { $0.threshold = least }
        run {
            try await self.models.ask(least)
            self.analyzeAgain()
        }
    }

    func change(_ act: (inout State) -> Void) { change(image: moment.image, act) }

    func change(image: Pixels?, _ act: (inout State) -> Void) {
        var state = moment.state
        act(&state)
        moment = Moment(state: state, image: image)
        listener?(moment)
    }

    func onShelf(_ act: @escaping @MainActor () async throws -> Void) {
        let before = shelving
        shelving = run {
            await before?.value
            try await act()
        }
    }

    @discardableResult
    func run(_ act: @escaping @MainActor () async throws -> Void) -> Task<Void, Never> {
        let task = Task {
            do {
                try await act()
            } catch {
                if let told = sentence(error) { self.problem(told) }
            }
        }
        track(task)
        return task
    }

    func track(_ task: Task<Void, Never>) {
        started += 1
        let id = started
        tasks[id] = task
        Task {
            await task.value
            tasks[id] = nil
        }
    }
}
