import Contract
import Engines
import Screens
import SwiftUI

private let leastThreshold: Float = 0.05
private let mostThreshold: Float = 0.95

/// What the model says and one line of what ran, then all the rest: answers, the whole story and all that can be chosen.
struct StoryView: View {
    let screen: ScreenModel

    private var state: Screens.State { screen.state }

    var body: some View {
        VStack(alignment: .leading, spacing: 16) {
            header
            if let seen = state.seen, state.model.placed != nil { AnswerList(answers: seen.answers) }
            threshold
            WhatRan(screen: screen)
            Divider()
            choices
            Divider()
            Button {
                screen.send(.showSelfTest)
            } label: {
                Label {
                    VStack(alignment: .leading) {
                        Text("Self-test")
                        Text("Does this phone give the server's answers?").font(.caption).foregroundStyle(.secondary)
                    }
                } icon: {
                    Image(systemName: "checkmark.seal")
                }
            }
        }
        .frame(maxWidth: .infinity, alignment: .leading)
    }

    private var header: some View {
        VStack(alignment: .leading, spacing: 4) {
            // Before a model has run, nothing found would be said of images that nobody looked at.
            if state.model.placed != nil, let task = state.chosen?.task, let line = summary(task, state.seen?.answers) {
                HStack {
                    Text(line.text).font(.title2).lineLimit(1)
                    Spacer()
                    Text(line.figure).font(.headline).foregroundStyle(.secondary)
                }
            }
            Text(statusLine(state.model)).font(.callout).foregroundStyle(isFailed ? .red : .secondary).lineLimit(3)
            if state.model == .loading { ProgressView().progressViewStyle(.linear) }
            if state.hot {
                Label("The phone is hot: times are longer than they could be", systemImage: "thermometer.high").font(
                    .caption)
            }
            if state.model == .released {
                Button("Load again") { screen.send(.loadAgain) }.buttonStyle(.borderedProminent)
            }
        }
    }

    private var isFailed: Bool {
        if case .failed = state.model { return true }
        return false
    }

    @ViewBuilder private var threshold: some View {
        if let own = state.chosen?.threshold {
            let least = state.threshold ?? own
            VStack(alignment: .leading) {
                HStack {
                    Text("Score of \(percent(least)) or more").font(.headline)
                    Spacer()
                    if state.threshold != nil {
                        Button("Back to \(percent(own))") { screen.send(.chooseThreshold(nil)) }
                    }
                }
                let value = Binding(get: { least }, set: { screen.send(.chooseThreshold($0)) })
                Slider(value: value, in: leastThreshold...mostThreshold) { Text("Least score") }
            }
        }
    }

    @ViewBuilder private var choices: some View {
        if state.tasks.count > 1 {
            let task = Binding(
                get: { state.chosen?.task }, set: { if let task = $0 { screen.send(.chooseTask(task)) } })
            Picker("Task", selection: task) {
                ForEach(state.tasks, id: \.self) { Text(name($0)).tag(Optional($0)) }
            }
            .pickerStyle(.segmented)
        }
        let bundle = Binding(get: { state.bundle ?? "" }, set: { screen.send(.chooseBundle($0)) })
        Picker("Model", selection: bundle) {
            ForEach(state.bundles, id: \.name) {
                Text(name($0)).tag($0.name)
            }
        }
        HStack {
            Button("Open a packed bundle", systemImage: "folder") { screen.opensBundle = true }
            if let chosen = state.chosen, chosen.opened {
                Button("Remove \(chosen.name)", systemImage: "trash", role: .destructive) {
                    screen.send(.removeBundle(chosen.name))
                }
            }
        }
        if !state.artifacts.isEmpty {
            let artifact = Binding(get: { state.artifact ?? "" }, set: { screen.send(.chooseArtifact($0)) })
            Picker("Engine", selection: artifact) {
                ForEach(state.artifacts, id: \.name) { Text(name($0)).tag($0.name) }
            }
            let unit = Binding(get: { state.unit }, set: { screen.send(.chooseUnit($0)) })
            Picker("Unit", selection: unit) {
                Text(name(ComputeUnit?.none)).tag(ComputeUnit?.none)
                ForEach(ComputeUnit.allCases.reversed(), id: \.self) { Text(name($0)).tag(Optional($0)) }
            }
        }
        ForEach(state.notOffered, id: \.self) { Text($0).font(.caption).foregroundStyle(.secondary) }
    }
}

private struct AnswerList: View {
    let answers: [Answer]

    var body: some View {
        VStack(alignment: .leading, spacing: 6) {
            ForEach(Array(answers.prefix(20).enumerated()), id: \.offset) { _, answer in
                HStack {
                    if answer.box != nil { Circle().fill(hue(answer.index)).frame(width: 12, height: 12) }
                    Text(answer.label)
                    Spacer()
                    Text(percent(answer.score)).foregroundStyle(.secondary)
                }
                .accessibilityElement(children: .ignore)
                .accessibilityLabel(spoken(answer))
            }
        }
    }
}

/// What really ran, and why nothing better did.
private struct WhatRan: View {
    let screen: ScreenModel

    var body: some View {
        switch screen.state.model {
        case .none, .loading: SwiftUI.EmptyView()
        case .released: panel("Memory was low") { Text("The model was unloaded; close other apps first.") }
        case .failed(let sentence): panel("The model does not run") { Text(sentence).foregroundStyle(.red) }
        case .ready(let placed, let plan):
            panel("What really ran") {
                Text(whatRan(placed.chosen)).font(.headline)
                Text(figures(placed.chosen)).font(.callout)
                if let latency = screen.state.latencies.last {
                    Text(
                        "\(milliseconds(Double(latency.sum))) an image: input \(milliseconds(Double(latency.preprocess))), network \(milliseconds(Double(latency.network))), answers \(milliseconds(Double(latency.answers)))"
                    )
                    .font(.callout)
                }
                ForEach(placed.trials.filter { $0 != placed.chosen }, id: \.unit) { trial in
                    Text("\(trial.unit.name): \(fate(trial))").font(.caption).foregroundStyle(.secondary)
                }
                if let plan { Text(plan).font(.caption).foregroundStyle(.secondary) }
            }
        }
    }

    private func panel(_ title: LocalizedStringKey, @ViewBuilder _ content: () -> some View) -> some View {
        GroupBox(title) {
            VStack(alignment: .leading, spacing: 6, content: content).frame(maxWidth: .infinity, alignment: .leading)
        }
    }
}
