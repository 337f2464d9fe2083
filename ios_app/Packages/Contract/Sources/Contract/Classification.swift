/// One image, one class of it: the best labels.
let classificationRules = TaskRules(
    task: .classification,
    checkSpec: {
        try require(
            $0.detection == nil && $0.roles == [.logits],
            "a classification has the role 'logits' alone and no field 'detection'")
    },
    expectedShapes: { spec, _ in [ExpectedShape(role: .logits, shape: [1, spec.classCount], fields: "labels")] },
    decode: { outputs, spec in
        let logits = outputs[.logits]?.values ?? []
        let best = rank(logits, spec.topK)
        let scores = logits.withUnsafeBufferPointer { row in
            best.map { activate(row, $0, spec.outputs.activation) }
        }
        return Decoded(indices: best, scores: scores)
    })

/// The indices of the best `topK` classes, best first; no more than there are classes.
///
/// Ranked by raw logit, ties by lower index: scores tie where logits do not (a confident softmax rounds to 1).
///
/// - Parameter logits: finite, one per class.
func rank(_ logits: [Float], _ topK: Int) -> [Int] {
    var best: [Int] = []
    let most = min(topK, logits.count)
    best.reserveCapacity(most + 1)
    for index in logits.indices {
        var place = best.count
        while place > 0 && logits[index] > logits[best[place - 1]] { place -= 1 }
        if place == most { continue }
        best.insert(index, at: place)
        if best.count > most { best.removeLast() }
    }
    return best
}
