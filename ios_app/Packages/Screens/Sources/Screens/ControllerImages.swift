import Contract

extension Controller {
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

    /// Whether a frame would be looked at now.
    public var watching: Bool { watched(state) && !state.testing && !analyzing }

    /// A paused camera is looked at once more: that frame is the one that is shown.
    func watched(_ state: State) -> Bool {
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

    /// Back to what the camera sees now.
    func moving(_ act: (inout State) -> Void) {
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

    func zoom(_ ratio: Float) {
        change { $0.zoom = min(max(ratio, $0.lens.leastZoom), $0.lens.mostZoom) }
    }

    /// What is asked of images changed: a still one is looked at once more, where a camera will give another anyway.
    func analyzeAgain() {
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

    func analyze(_ frame: CameraFrame, _ isCurrent: (State) -> Bool) async {
        let analysis = await analysis { try await $0.analyze(frame) }
        show(
            analysis, frame.uprightWidth, frame.uprightHeight, mirror: frame.mirror,
            {
                self.kept = frame
                return try? shown(frame)
            }, isCurrent)
    }

    /// What the loaded model says of an image; nil where none is loaded, or another came meanwhile.
    func analysis(_ act: (ImageAnalyzer) async throws -> Analysis) async -> Analysis? {
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
    func show(
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
}
