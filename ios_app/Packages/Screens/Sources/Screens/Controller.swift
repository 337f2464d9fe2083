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

    private let shelf: any Shelf
    private let runtimes: any Runtimes
    private let photos: any Photos
    private let models: Models
    /// Bundles one thing after the other.
    private var shelving: Task<Void, Never>?
    private var testing: Task<Void, Never>?
    private var tests = 0
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var started = 0
    private var analyzing = false
    private var photo: Picked?
    private var kept: CameraFrame?
    private var parity: DeviceParity?
    private var wakes = false

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

    private var state: State { moment.state }

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

    /// Looks at a photo, now and with every model that is chosen later, until the camera is used.
    public func onPhoto(_ picked: Picked) {
        photo = picked
        kept = nil
        change(image: nil) { state in
            state.source = .photo
            state.paused = false
            state.still = false
            state.seen = nil
        }
        analyzeAgain()
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

    /// Whether a frame would be looked at now.
    public var watching: Bool { watched(state) && !state.testing && !analyzing }

    /// A paused camera is looked at once more: that frame is the one that is shown.
    private func watched(_ state: State) -> Bool {
        if case .failed = state.camera { return false }
        return state.source == .camera && !state.still
    }

    /// Looks at a frame of the camera, unless one is being looked at: then it is dropped. Ends when it was looked at.
    public func onFrame(_ frame: CameraFrame) async {
        if !watching { return }
        analyzing = true
        await analyze(frame) { self.watched($0) }
        analyzing = false
    }

    /// Ends when nothing is under way any more.
    public func settled() async {
        while let (id, task) = tasks.first {
            await task.value
            tasks[id] = nil
        }
    }

    // MARK: - Bundles and models

    private func list() async {
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

    private func remove(_ name: String) {
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

    private func choose(_ name: String) {
        parity = nil
        cancelTest()
        run { try await self.models.ask(nil) }
        changeModel { state in
            self.models.choose(name, &state)
            state.selfTest = .idle
            state.threshold = nil
        }
    }

    private func changeModel(_ choice: (inout State) -> Void) {
        models.forget()
        // What the model before said is not what this one says.
        change { state in
            choice(&state)
            state.latencies = []
            state.seen?.answers = []
        }
        load()
    }

    private func load() {
        wakes = false
        change { $0.model = .loading }
        track(
            models.load(state) { model in
                self.change { $0.model = model }
                self.analyzeAgain()
            })
    }

    private func ask(_ least: Float?) {
        change { $0.threshold = least }
        run {
            try await self.models.ask(least)
            self.analyzeAgain()
        }
    }

    // MARK: - Images

    /// Back to what the camera sees now.
    private func moving(_ act: (inout State) -> Void) {
        photo = nil
        kept = nil
        change(image: nil) { state in
            act(&state)
            state.source = .camera
            state.paused = false
            state.still = false
            state.seen = nil
        }
    }

    private func zoom(_ ratio: Float) {
        change { $0.zoom = min(max(ratio, $0.lens.leastZoom), $0.lens.mostZoom) }
    }

    /// What is asked of images changed: a still one is looked at once more, where a camera will give another anyway.
    private func analyzeAgain() {
        if let frame = kept { run { await self.analyze(frame) { _ in self.kept != nil } } }
        guard let picked = photo else { return }
        run {
            guard self.photo == picked else { return }
            let (photos, background) = (self.photos, self.models.background(self.state))
            do {
                let picture = try await away { try photos.read(picked, background) }
                let image = try await away { shown(picture) }
                let analysis = await self.analysis { try await $0.analyze(picture) }
                self.show(analysis, image.width, image.height, mirror: false, { image }) { _ in self.photo == picked }
            } catch {
                if self.photo == picked { self.moving { _ in } }
                throw error
            }
        }
    }

    private func analyze(_ frame: CameraFrame, _ isCurrent: (State) -> Bool) async {
        let analysis = await analysis { try await $0.analyze(frame) }
        show(
            analysis, frame.uprightWidth, frame.uprightHeight, mirror: frame.mirror,
            {
                self.kept = frame
                return try? shown(frame)
            }, isCurrent)
    }

    /// What the loaded model says of an image; nil where none is loaded, or another came meanwhile.
    private func analysis(_ act: (ImageAnalyzer) async throws -> Analysis) async -> Analysis? {
        guard let current = models.analyzer else { return nil }
        do {
            let analysis = try await act(current)
            return models.analyzer === current ? analysis : nil
        } catch {
            if models.analyzer === current, let told = sentence(error) {
                models.forget()
                change { $0.model = .failed(told) }
            }
            return nil
        }
    }

    /// Shows what was seen; `still` makes the image for people, where it is to stand still.
    private func show(
        _ analysis: Analysis?, _ width: Int, _ height: Int, mirror: Bool, _ still: () -> Pixels?,
        _ isCurrent: (State) -> Bool
    ) {
        if !isCurrent(state) { return }
        let answers = analysis?.answers ?? []
        let stands = state.paused || state.source == .photo
        let image = stands ? moment.image ?? still() : nil
        change(image: image) { state in
            state.seen = Seen(answers: mirror ? mirrored(answers, width) : answers, width: width, height: height)
            state.latencies = Array((state.latencies + [analysis?.latency].compactMap { $0 }).suffix(history))
            state.still = stands
        }
    }

    // MARK: - The self-test

    private func cancelTest() {
        testing?.cancel()
    }

    private func test() {
        guard let bundle = models.find(state.bundle) else { return }
        cancelTest()
        tests += 1
        let mine = tests
        parity = nil
        models.cancel()
        // The model gives its place to those of the test, so that one is in memory at a time.
        change { state in
            state.selfTest = .running(done: 0, total: 1, what: "")
            if state.model.placed != nil { state.model = .none }
        }
        let task = Task {
            var outcome = SelfTest.idle
            var finished: DeviceParity?
            do {
                let parity = try await self.tested(bundle, mine)
                let cases = try await away { try bundle.goldenCases() }
                let judgement = try judge(parity.runs, cases, bundle.manifest.artifacts)
                outcome = .done(TestResult(runs: parity.runs, judgement: judgement))
                finished = parity
            } catch {
                if let told = sentence(error) { outcome = .failed(told) }
            }
            guard mine == self.tests, bundle.folder == self.models.find(self.state.bundle)?.folder else { return }
            self.tests += 1
            self.parity = finished
            self.change { $0.selfTest = outcome }
            self.load()
        }
        testing = task
        track(task)
    }

    private func tested(_ bundle: ModelBundle, _ mine: Int) async throws -> DeviceParity {
        let (openers, device, notes, system) = (runtimes.openers, runtimes.device, runtimes.notes, runtimes.system)
        let files = try await prepareAll(bundle, openers).filter { tooOld($0.artifact, system) == nil }
        return try await models.holder.instead {
            try selfTest(bundle, files, openers, device, notes: notes) { done, total, what in
                Task { @MainActor in self.progress(mine, done, total, what) }
            }
        }
    }

    /// Shows how a test stands, unless it ended, or another test or another bundle took its place.
    private func progress(_ mine: Int, _ done: Int, _ total: Int, _ what: String) {
        guard mine == tests, case .running = state.selfTest else { return }
        change { $0.selfTest = .running(done: done, total: max(total, 1), what: what) }
    }

    // MARK: - Changes and tasks

    private func change(_ act: (inout State) -> Void) { change(image: moment.image, act) }

    private func change(image: Pixels?, _ act: (inout State) -> Void) {
        var state = moment.state
        act(&state)
        moment = Moment(state: state, image: image)
        listener?(moment)
    }

    private func onShelf(_ act: @escaping @MainActor () async throws -> Void) {
        let before = shelving
        shelving = run {
            await before?.value
            try await act()
        }
    }

    @discardableResult
    private func run(_ act: @escaping @MainActor () async throws -> Void) -> Task<Void, Never> {
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

    private func track(_ task: Task<Void, Never>) {
        started += 1
        let id = started
        tasks[id] = task
        Task {
            await task.value
            tasks[id] = nil
        }
    }
}
