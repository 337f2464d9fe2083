import Contract

/// The gates, one precision a line, then that between int8 artifacts, then what ``gateFor(_:_:)`` says of each case.
func gateParity(_ cases: [Case]) throws -> [String] {
    let table = gates.map { "{\"precision\": \"\($0.key)\", \(numbers($0.value))}" }
    let answers = try cases.map { one in
        try sentenceOr { "{\(numbers(try gateFor(one.text("precision"), one.choice("unit"))))}" }
    }
    return table + ["{\"steps_apart\": \(stepsApart)}"] + answers
}

private func numbers(_ gate: Gate) -> String {
    "\"snr_db\": \(gate.snrDb), \"agreement\": \(gate.agreement), \"iou\": \(gate.iou), \"metric_drop\": \(gate.metricDrop)"
}
