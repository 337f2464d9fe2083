import Contract

/// What a bundle holds, or the sentence that refuses it; a packed one is unpacked first.
func bundleParity(_ one: Case) throws -> String {
    let folder = one.text("folder")
    if one.has("archive") { try unpackBundle(one.text("archive"), folder) }
    let bundle = try openBundle(folder)
    let names = bundle.manifest.artifacts.map(\.name).joined(separator: ",")
    let cases = try bundle.goldenCases().map { try goldenCase($0, bundle.spec) }.joined(separator: ",")
    let verdicts = try bundle.verdicts()
    let apps = (verdicts?.apps ?? []).map { " \($0.unit.upper) \($0.times.map { "\($0.steady)" } ?? "null")" }
    let warnings = (verdicts?.artifacts ?? []).flatMap(\.warnings)
    let faults = warnings.map {
        " \($0.id) \($0.severity.upper) [\($0.units.map(\.upper).joined(separator: ", "))]"
            + " [\($0.operators.joined(separator: ", "))] \($0.count)"
    }
    let passed = verdicts.map { "\($0.passed)" } ?? "null"
    return "\(bundle.spec.name) \(names) \(cases) \(passed)\(apps.joined())\(faults.joined())"
}

extension RawRepresentable where RawValue == String {
    /// As Kotlin writes a value of an enumeration.
    fileprivate var upper: String { rawValue.uppercased() }
}

/// What a signed pack states, or the sentence that refuses it; it has to be newer than `present`, another pack.
func signatureParity(_ one: Case) throws -> String {
    let key = one.has("key") ? try PublicKey(digits(one.text("key")), "key") : nil
    let statement = try signed(one, "archive", "folder", key)
    if one.has("present") {
        try checkNewer(statement, try signed(one, "present", "present_folder", key), one.text("archive"))
    }
    return "\(statement.model) \(statement.version) \(statement.paritySha256 ?? "null")"
}

private func signed(_ one: Case, _ archive: String, _ into: String, _ key: PublicKey?) throws -> Statement {
    let folder = one.text(into)
    try unpackBundle(one.text(archive), folder)
    let model = try openBundle(folder).spec.name
    let statement = try checkSignature(folder, one.text(archive), key)
    try checkModel(statement, model, one.text(archive))
    return statement
}

private func goldenCase(_ golden: GoldenCase, _ spec: ModelSpec) throws -> String {
    let (tensor, geometry) = preprocess(golden.picture, spec.input)
    if tensor != golden.tensor { return "\(golden.id):other tensor" }
    if let yuv = golden.yuv, try camera(yuv, golden, spec) != tensor { return "\(golden.id):other camera tensor" }
    return try answers(golden.outputs, spec, geometry) == golden.answers
        ? "\(golden.id):met" : "\(golden.id):other answers"
}

private func camera(_ yuv: Yuv, _ golden: GoldenCase, _ spec: ModelSpec) throws -> [UInt8] {
    try yuv.data.withUnsafeBytes {
        let picture = golden.picture
        let frame = try yuv420FromBytes($0, picture.width, picture.height, yuv.layout)
        let preprocessor = Preprocessor(spec.input)
        try preprocessor.run(frame, yuv.matrix, yuv.range, picture.orientation)
        return preprocessor.tensor
    }
}
