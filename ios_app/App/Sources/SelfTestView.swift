import Contract
import Screens
import SwiftUI

/// The golden cases on this phone, and the file that `samesight verify --device-results` judges.
struct SelfTestView: View {
    let screen: ScreenModel

    var body: some View {
        NavigationStack {
            List {
                Text(selfTestExplained)
                switch screen.state.selfTest {
                case .idle: Button("Run") { screen.send(.runSelfTest) }
                case .running(let done, let total, let what): progress(done, total, what)
                case .failed(let sentence):
                    Text(sentence).foregroundStyle(.red)
                    Button("Run again") { screen.send(.runSelfTest) }
                case .done(let result): found(result)
                }
            }
            .navigationTitle("Self-test: \(screen.state.bundle ?? "")")
            .navigationBarTitleDisplayMode(.inline)
            .toolbar {
                ToolbarItem(placement: .cancellationAction) { Button("Done") { screen.send(.back) } }
                ToolbarItem(placement: .primaryAction) {
                    if case .done = screen.state.selfTest, let results = screen.results {
                        ShareLink(item: results) { Label("Share the results", systemImage: "square.and.arrow.up") }
                    }
                }
            }
            .overlay(alignment: .top) { Notices(screen: screen) }
        }
    }

    private func progress(_ done: Int, _ total: Int, _ what: String) -> some View {
        VStack(alignment: .leading) {
            ProgressView(value: Double(done), total: Double(max(1, total))) { Text("\(done) of \(total)") }
            Text(what).font(.caption)
            Button("Cancel", role: .cancel) { screen.send(.cancelSelfTest) }
        }
    }

    @ViewBuilder private func found(_ result: TestResult) -> some View {
        let passed = result.judgement.failures.isEmpty
        Label(verdict(result), systemImage: passed ? "checkmark.circle" : "exclamationmark.triangle")
            .foregroundStyle(passed ? .green : .red).font(.headline)
        ForEach(result.judgement.failures, id: \.self) { Text($0).foregroundStyle(.red) }
        ForEach(Array(zip(result.runs, result.judgement.passed).enumerated()), id: \.offset) { _, one in
            let (run, passed) = one
            VStack(alignment: .leading) {
                HStack {
                    Text("\(run.artifact) on the \(run.unit.name)").font(.subheadline)
                    Spacer()
                    Text(outcome(run, passed)).foregroundStyle(
                        run.refusal != nil ? Color.secondary : passed ? .green : .red)
                }
                Text(run.refusal ?? figures(run)).font(.caption)
                if let proof = run.proof { Text(name(proof)).font(.caption).foregroundStyle(.secondary) }
            }
            .accessibilityElement(children: .combine)
        }
        Button("Run again") { screen.send(.runSelfTest) }
    }
}
