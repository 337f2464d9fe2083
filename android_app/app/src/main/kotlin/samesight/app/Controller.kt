package samesight.app

import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicBoolean
import samesight.contract.DeviceParity
import samesight.contract.Helpers
import samesight.contract.Picture
import samesight.contract.SamesightError
import samesight.engine.Cancellation
import samesight.engine.Pipeline
import samesight.engine.judge
import samesight.engine.selfTest
import samesight.ui.Camera as CameraState
import samesight.ui.Event
import samesight.ui.HISTORY
import samesight.ui.Lens
import samesight.ui.Model
import samesight.ui.Seen
import samesight.ui.SelfTest
import samesight.ui.Source
import samesight.ui.State

/**
 * All that the app does, without its system: takes what a person asks for and images, tells what is to be shown.
 *
 * Its functions return at once and may be called on any thread; no failure leaves them but as a sentence in the state.
 *
 * @param loader runs one thing after the other: bundles, models, the self-test.
 * @param analyzer runs one thing after the other, beside the loader: images.
 * @param helpers take parts of large images.
 * @param clock nanoseconds.
 */
class Controller(
    private val shelf: Shelf,
    private val runtimes: Runtimes,
    private val photos: Photos,
    memory: Memory,
    private val loader: Executor,
    private val analyzer: Executor,
    helpers: Helpers? = null,
    private val clock: () -> Long = System::nanoTime,
) : Viewer {
    private val lock = Any()
    private val frames = Pipeline(FrameBuffer(0) to FrameBuffer(1), ::prepare, ::finish, analyzer)
    private val released = AtomicBoolean()
    private val models = Models(shelf, runtimes, memory, clock, helpers, { change(it) }, ::analyzeAgain)
    @Volatile private var wakes = false
    @Volatile private var photo: Picked? = null
    @Volatile private var kept: CameraFrame? = null
    @Volatile private var testing: Cancellation? = null
    @Volatile private var parity: DeviceParity? = null

    /** What is to be shown now. */
    @Volatile
    var moment = Moment(State(camera = CameraState.Asked, model = Model.Loading), null)
        private set

    /** Is told every new moment, in their order, on any thread; it must not wait for anything. */
    var listener: ((Moment) -> Unit)? = null
        set(value) = synchronized(lock) {
            field = value
            value?.invoke(moment)
        }

    /** `device-parity.json` of the last self-test of the chosen bundle; null before one. */
    val results: String?
        get() = parity?.toJson()

    private val state: State
        get() = moment.state

    private fun change(change: State.() -> State) = synchronized(lock) { change(moment.image, change) }

    private fun change(image: Pixels?, change: State.() -> State) {
        synchronized(lock) {
            moment = Moment(moment.state.change(), image)
            listener?.invoke(moment)
        }
    }

    /** Reads the bundles and loads what was chosen last. */
    fun start() = loader.work { models.list()?.let(::choose) }

    /** Loads the model again that [release] took out of memory while nobody looked. */
    fun wake() {
        if (wakes) load()
    }

    /**
     * Gives the model's memory back, because the system runs low. Where somebody looks, a tap alone loads it again: the
     * next frame, or a turn of the device, would take the memory just when it is short.
     */
    fun release() {
        models.forget()
        wakes = listener == null
        released.set(true)
        loader.work { if (released.get()) models.release(Model.Released) }
    }

    /** Does what a person asks for, but for what the system must be asked for: permissions and files. */
    fun onEvent(event: Event) {
        when (event) {
            is Event.ChooseTask -> state.bundles.find { it.task == event.task }?.let { choose(it.name) }
            is Event.ChooseBundle -> choose(event.name)
            is Event.ChooseArtifact -> changeModel { models.pick(this, event.name) }
            is Event.RemoveBundle -> loader.work { models.remove(event.name)?.let(::choose) }
            is Event.ChooseUnit -> changeModel { copy(unit = event.unit) }
            Event.UseCamera, Event.Resume -> moving { this }
            Event.RetryCamera -> cameraIs(CameraState.On)
            Event.SwitchCamera ->
                moving {
                    val again = if (camera is CameraState.Failed) CameraState.On else camera
                    copy(front = !front, camera = again, zoom = 1f, torch = false)
                }
            Event.Pause -> change { if (live) copy(paused = true) else this }
            is Event.ZoomBy -> change { zoomed(zoom * event.factor) }
            is Event.ZoomTo -> change { zoomed(event.ratio) }
            is Event.Torch -> change { copy(torch = event.on && lens.torch) }
            is Event.ChooseThreshold -> {
                models.threshold = event.least
                change { copy(threshold = event.least) }
                analyzeAgain()
            }
            Event.ShowSelfTest -> change { copy(testing = true) }
            Event.Back -> {
                testing?.cancel()
                change { copy(testing = false) }
            }
            Event.LoadAgain -> load()
            Event.RunSelfTest -> test()
            Event.CancelSelfTest -> testing?.cancel()
            Event.Dismiss -> change { copy(problem = null, success = null) }
            Event.OpenBundle, Event.PickPhoto, Event.AllowCamera -> Unit
            Event.SaveResults, Event.ShareResults, Event.SavePicture, Event.Share -> Unit
        }
    }

    private fun State.zoomed(ratio: Float) = copy(zoom = ratio.coerceIn(lens.leastZoom, lens.mostZoom))

    /** Back to what the camera sees now. */
    private fun moving(change: State.() -> State) =
        synchronized(lock) {
            photo = null
            kept = null
            change(null) { change().copy(source = Source.CAMERA, paused = false, still = false, seen = null) }
        }

    /** Tells what went wrong outside. */
    fun problem(sentence: String) = change { copy(problem = sentence) }

    /** Tells what was done outside. */
    fun success(sentence: String) = change { copy(success = sentence) }

    /** Tells what is known of the camera. */
    fun cameraIs(camera: CameraState) {
        if (state.camera != camera) change { copy(camera = camera) }
    }

    /** Looks at a photo, now and with every model that is chosen later, until the camera is used. */
    fun onPhoto(picked: Picked) {
        synchronized(lock) {
            photo = picked
            kept = null
            change(null) { copy(source = Source.PHOTO, paused = false, still = false, seen = null) }
        }
        analyzeAgain()
    }

    /** Takes in a packed bundle and chooses it. */
    fun onBundle(picked: Picked) {
        change { copy(opening = "the chosen file") }
        loader.work {
            take(picked)
        }
    }

    private fun take(picked: Picked): String =
        try {
            // Its name takes a while too: a provider may ask the network.
            change { copy(opening = picked.name) }
            val taken = shelf.take(picked)
            models.add(taken)
            taken.bundle.spec.name.also(::choose)
        } finally {
            change { copy(opening = null) }
        }

    /** Does what a computer asks for, which is told how it went. */
    fun onErrand(errand: Errand) =
        loader.execute {
            if (errand.begin()) {
                catchFailures(errand::failed) {
                    val opened = errand.packed?.let(::take)
                    if (errand.tests) test(errand, errand.model ?: opened ?: state.bundle)
                    else errand.opened(opened ?: throw SamesightError("no packed bundle came with it"))
                }
            }
        }

    private fun test(errand: Errand, name: String?) {
        if (models.find(name) == null) {
            val all = state.bundles.joinToString { it.name }.ifEmpty { "none" }
            throw SamesightError("the app has no bundle ${name ?: "at all"}; it has $all")
        }
        if (name != null && name != state.bundle) choose(name)
        change { copy(testing = true) }
        test(errand)
    }

    override fun buffer(): FrameBuffer? = if (watching) frames.take() else null

    override fun drop(unfilled: FrameBuffer) = frames.giveBack(unfilled)

    private val watching: Boolean
        get() = state.watched && !state.testing

    /** A paused camera is looked at once more: that frame is the one that is shown. */
    private val State.watched: Boolean
        get() = source == Source.CAMERA && camera !is CameraState.Failed && !still

    override fun onFrame(filled: FrameBuffer) = reportFailures { frames.put(filled) }

    private fun prepare(filled: FrameBuffer) {
        filled.frame.yuv.check()
        filled.preparedBy = models.current?.also { it.prepare(filled.frame, filled.place) }
    }

    private fun finish(filled: FrameBuffer) = reportFailures {
        val analysis = filled.preparedBy?.let { by -> models.analyze(by) { finish(filled.place) } }
        show(filled.frame, analysis) { watched }
    }

    override fun onNoCamera() = cameraIs(CameraState.Absent)

    override fun onLens(lens: Lens) = change { copy(lens = lens).zoomed(zoom) }

    /** What was seen last goes, so that nobody takes it for what the camera sees now. */
    override fun onCameraProblem(sentence: String) =
        synchronized(lock) {
            val failed = CameraState.Failed(sentence)
            // A photo, or an image that stands still, stays.
            if (state.source == Source.CAMERA && !state.still) moving { copy(camera = failed) }
            else change { copy(camera = failed) }
        }

    private fun choose(name: String) =
        synchronized(lock) {
            parity = null
            testing?.cancel()
            testing = null
            models.threshold = null
            changeModel { models.choice(this, name).copy(selfTest = SelfTest.Idle, threshold = null) }
        }

    private fun changeModel(choice: State.() -> State) {
        models.forget()
        // What the model before said is not what this one says.
        change { choice().copy(latencies = emptyList(), seen = seen?.copy(answers = emptyList())) }
        load()
    }

    private fun load() {
        released.set(false)
        wakes = false
        val request = models.begin()
        loader.work { models.load(request, state) }
    }

    /** What is asked of images changed: a still one is looked at once more, where a camera will give another anyway. */
    private fun analyzeAgain() {
        val (picked, frame) = synchronized(lock) { photo to kept }
        if (frame != null) {
            analyzer.work { show(frame, models.analyze { analyze(frame) }) { kept === frame } }
        }
        if (picked == null) return
        analyzer.work {
            if (photo !== picked) return@work
            val picture = readPhoto(picked)
            val image = shown(picture)
            show(models.analyze { analyze(picture) }, image.width, image.height, false, { image }) { photo === picked }
        }
    }

    private fun show(frame: CameraFrame, analysis: Analysis?, isCurrent: State.() -> Boolean) {
        val (width, height) = frame.uprightSides
        show(analysis, width, height, frame.mirror, { shown(keep(frame)) }, isCurrent)
    }

    private fun keep(frame: CameraFrame): CameraFrame = frame.copied().also { kept = it }

    private fun readPhoto(picked: Picked): Picture =
        try {
            photos.read(picked, models.background)
        } catch (unread: SamesightError) {
            synchronized(lock) { if (photo === picked) moving { this } }
            throw unread
        }

    /** Shows what was seen; [still] makes the image for people, where it is to stand still. */
    private fun show(
        analysis: Analysis?,
        width: Int,
        height: Int,
        mirror: Boolean,
        still: () -> Pixels,
        isCurrent: State.() -> Boolean,
    ) {
        synchronized(lock) {
            if (!state.isCurrent()) return
            val answers = analysis?.answers.orEmpty()
            val seen = Seen(if (mirror) mirrored(answers, width) else answers, width, height)
            val latencies = (state.latencies + listOfNotNull(analysis?.latency)).takeLast(HISTORY)
            val stands = state.paused || state.source == Source.PHOTO
            val image = if (stands) moment.image ?: still() else null
            change(image) { copy(seen = seen, latencies = latencies, still = stands) }
        }
    }

    /** @param errand whose self-test it is; null for a person's. */
    private fun test(errand: Errand? = null) {
        val bundle = models.find(state.bundle) ?: return
        val mine = Cancellation()
        testing?.cancel()
        testing = mine
        parity = null
        models.forget()
        change { copy(selfTest = SelfTest.Running(0, 1, "")) }
        loader.execute {
            // The model gives its place to those of the test, so that one is in memory at a time.
            reportFailures { models.release(Model.None) }
            var finished: DeviceParity? = null
            val outcome = catchFailures<SelfTest>({ SelfTest.Failed(it) }) {
                val (openers, device) = runtimes.openers to runtimes.device
                val show = { done: Int, all: Int, next: String ->
                    errand?.running(done, all, next)
                    tested(mine) { SelfTest.Running(done, all, next) }
                }
                val (notes, soc) = runtimes.notes to runtimes.soc
                val deviceParity =
                    selfTest(bundle, openers, device, cancellation = mine, notes = notes, soc = soc, progress = show)
                finished = deviceParity
                val judgement = judge(deviceParity.runs, bundle.goldenCases(), bundle.manifest.artifacts)
                SelfTest.Done(deviceParity.runs, judgement.passed, judgement.failures)
            }
            tested(mine) {
                testing = null
                parity = finished
                load()
                outcome ?: SelfTest.Idle
            }
            val results = finished
            when {
                outcome is SelfTest.Failed -> errand?.failed(outcome.sentence)
                outcome == null || results == null -> errand?.failed("the self-test was ended on the phone")
                else -> errand?.tested(bundle.spec.name, results.toJson())
            }
        }
    }

    /** Shows how a test stands, unless another test or another bundle took its place. */
    private fun tested(mine: Cancellation, now: () -> SelfTest) {
        synchronized(lock) {
            if (testing !== mine) return
            val test = now()
            change { copy(selfTest = test) }
        }
    }

    private fun Executor.work(act: () -> Unit) = execute { reportFailures(act) }

    private fun reportFailures(act: () -> Unit) {
        catchFailures({ problem(it) }, act)
    }
}
