/// What a model is for.
public enum ModelTask: String, CaseIterable, Sendable {
    case classification, detection
}

/// The rules of every task.
let tasks: [ModelTask: TaskRules] = [.classification: classificationRules, .detection: detectionRules]
