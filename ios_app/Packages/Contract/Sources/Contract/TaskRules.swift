/// What a task means to the contract; ``tasks`` has one of these for each.
struct TaskRules: Sendable {
    /// Whose rules these are.
    let task: ModelTask
    /// Compares a spec with the task; throws a ``Contradiction``.
    let checkSpec: @Sendable (ModelSpec) throws -> Void
    /// What the outputs should be, in the order in which they are compared; it is given what they are, with every role of
    /// the spec.
    let expectedShapes: @Sendable (ModelSpec, [Role: [Int]]) -> [ExpectedShape]
    /// What outputs of those shapes say, best first; throws ``SamesightError`` where they are not finite.
    let decode: @Sendable ([Role: Tensor], ModelSpec) throws -> Decoded
}

/// The shape that the spec means for a role, and the `fields` of `model.json` that say so.
struct ExpectedShape {
    let role: Role
    let shape: [Int]
    let fields: String
}

/// What the outputs of one image say, best first.
struct Decoded {
    /// Into the spec's labels.
    let indices: [Int]
    /// One of each index.
    let scores: [Float]
    /// In input pixels, one of each index; nil for a task without boxes.
    var boxes: [Box]?
}
