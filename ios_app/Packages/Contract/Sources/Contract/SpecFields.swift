// The fields of model.json one by one, with the bounds and in the order of Python's spec.py.

let modelName = Pattern.name(
    "[a-z0-9][a-z0-9_-]{0,63}", first: lowerCaseLetters + digitLetters, others: lowerCaseLetters + digitLetters + "_-",
    most: 63)

private func side(_ value: Value) throws -> Int { try value.int(1, 8192) }

private func level(_ value: Value) throws -> Int { try value.int(0, 255) }

func modelSpec(_ fields: Fields) throws -> ModelSpec {
    try ModelSpec(
        name: fields.required("name") { try $0.text(modelName) },
        task: fields.required("task") { try $0.choice() },
        input: fields.required("input") { try $0.fields("Input", input) },
        outputs: fields.required("outputs") { try $0.fields("Outputs", outputs) },
        detection: fields.optional("detection") { try $0.fields("Detection", detection) },
        labels: fields.required("labels") { try $0.list(least: 1) { try $0.text() } },
        topK: fields.optional("top_k", 5) { try $0.int(1) })
}

private func input(_ fields: Fields) throws -> Input {
    try Input(
        width: fields.required("width", side),
        height: fields.required("height", side),
        channels: fields.optional("channels", .rgb) { try $0.choice() },
        framing: fields.optional("framing", .stretch, framing),
        filter: fields.optional("filter", .bilinear) { try $0.choice() },
        background: fields.optional("background", [255, 255, 255]) { try $0.tuple(3, level) },
        valueRange: fields.optional("value_range", [0, 1]) { try $0.tuple(2) { try $0.number() } },
        mean: fields.required("mean") { try $0.list { try $0.number() } },
        std: fields.required("std") { try $0.list(positive) })
}

private func positive(_ value: Value) throws -> Double {
    let number = try value.number()
    return try number > 0 ? number : { throw value.wrong("Input should be greater than 0") }()
}

private func framing(_ value: Value) throws -> Framing {
    guard case .object(let plain) = value.json else {
        throw value.wrong("Input should be a valid dictionary or object to extract fields from")
    }
    let rule: String
    switch plain["rule"] {
    case .text(let name), .word(let name): rule = name
    default: throw value.wrong("Unable to extract tag using discriminator 'rule'")
    }
    // pydantic's path of a union names the chosen member.
    let chosen = Value(json: value.json, path: value.inside(rule))
    func read(_ name: String, _ parse: (Fields) throws -> Framing) throws -> Framing {
        try chosen.fields(name) {
            _ = try $0.required("rule") { try $0.text() }
            return try parse($0)
        }
    }
    return switch rule {
    case "stretch": try read("Stretch") { _ in .stretch }
    case "crop": try read("Crop") { .crop(resizeShorter: try $0.required("resize_shorter", side)) }
    case "letterbox": try read("Letterbox") { .letterbox(pad: try $0.optional("pad", 114, level)) }
    case "stretch_crop":
        try read("StretchCrop") {
            .stretchCrop(
                resizeWidth: try $0.required("resize_width", side), resizeHeight: try $0.required("resize_height", side)
            )
        }
    default:
        throw value.wrong(
            "Input tag '\(rule)' found using 'rule' does not match any of the expected tags: "
                + "'stretch', 'crop', 'letterbox', 'stretch_crop'")
    }
}

private func outputs(_ fields: Fields) throws -> Outputs {
    try Outputs(
        tensors: fields.required("tensors") { try $0.list(least: 1) { try $0.text() } },
        roles: fields.required("roles") { try byRole($0) { try $0.fields("Slice", slice) } },
        activation: fields.required("activation") { try $0.choice() })
}

/// An object with roles as keys, in the order of the text.
func byRole<T>(_ value: Value, _ parse: (Value) throws -> T) throws -> [(Role, T)] {
    let names = Role.allCases.map(\.rawValue)
    return try value.map { $0 }.map { name, part in
        guard let role = Role.allCases.first(where: { same($0.rawValue, name) }) else {
            throw FieldProblem(message: "\(value.inside(name)).[key]: Input should be \(alternatives(names))")
        }
        return (role, try parse(part))
    }
}

private func slice(_ fields: Fields) throws -> OutputSlice {
    try OutputSlice(
        tensor: fields.required("tensor") { try $0.text() },
        channelAxis: fields.optional("channel_axis", axis),
        start: fields.optional("start", 0) { try $0.int(0) },
        stop: fields.optional("stop") { try $0.int(1) })
}

private func axis(_ value: Value) throws -> Int {
    if case .word(let word) = value.json, let number = Double(word), number == 1 || number == 2 { return Int(number) }
    throw value.wrong("Input should be 1 or 2")
}

private func detection(_ fields: Fields) throws -> Detection {
    try Detection(
        boxes: fields.required("boxes") { try $0.fields("BoxCoding", boxCoding) },
        background: fields.optional("background") { try $0.int(0) },
        scoreThreshold: fields.optional("score_threshold", 0.4) { try $0.fraction() },
        iouThreshold: fields.optional("iou_threshold", 0.5) { try $0.fraction() },
        maxDetections: fields.optional("max_detections", 100) { try $0.int(1) },
        suppression: fields.optional("suppression", .classWise) { try $0.choice() },
        objectness: fields.optional("objectness", .product) { try $0.choice() })
}

private func boxCoding(_ fields: Fields) throws -> BoxCoding {
    try BoxCoding(
        fields.required("coding") { try $0.choice() },
        unit: fields.optional("unit", .pixels) { try $0.choice() },
        strides: fields.optional("strides", []) { try $0.list(side) },
        grids: fields.optional("grids", []) { try $0.list { try $0.fields("AnchorGrid", anchorGrid) } },
        divisors: fields.optional("divisors", [1, 1, 1, 1]) { try $0.tuple(4, positive) })
}

private func anchorGrid(_ fields: Fields) throws -> AnchorGrid {
    try AnchorGrid(
        columns: fields.required("columns", side),
        rows: fields.required("rows", side),
        step: fields.required("step") { try $0.tuple(2, positive) },
        offset: fields.optional("offset", 0.5) { try $0.fraction() },
        anchors: fields.required("anchors") { try $0.list(least: 1) { try $0.tuple(2, positive) } })
}
