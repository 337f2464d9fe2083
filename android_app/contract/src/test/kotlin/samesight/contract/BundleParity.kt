package samesight.contract

import java.io.File
import kotlinx.serialization.json.JsonObject

/** What a bundle holds, or the sentence that refuses it; a packed one is unpacked first. */
internal fun bundleParity(case: JsonObject): String {
    val folder = File(case.text("folder"))
    if ("archive" in case) unpackBundle(File(case.text("archive")), folder)
    val bundle = openBundle(folder)
    val names = bundle.manifest.artifacts.joinToString(",") { it.name }
    val cases = bundle.goldenCases().joinToString(",") { goldenCase(it, bundle.spec) }
    val verdicts = bundle.verdicts()
    val apps = verdicts?.apps.orEmpty().joinToString("") { " ${it.unit} ${it.times?.steady}" }
    val warnings = verdicts?.artifacts.orEmpty().flatMap { it.warnings }
    val faults = warnings.joinToString("") { " ${it.id} ${it.severity} ${it.units} ${it.operators} ${it.count}" }
    return "${bundle.spec.name} $names $cases ${verdicts?.passed}$apps$faults"
}

/** What a signed pack states, or the sentence that refuses it; it has to be newer than `present`, another pack. */
internal fun signatureParity(case: JsonObject): String {
    val key = if ("key" in case) PublicKey(case.text("key")) else null
    val statement = signed(case, "archive", "folder", key)
    if ("present" in case) checkNewer(statement, signed(case, "present", "present_folder", key), case.text("archive"))
    return "${statement.model} ${statement.version} ${statement.paritySha256}"
}

private fun signed(case: JsonObject, archive: String, into: String, key: PublicKey?): Statement {
    val folder = File(case.text(into))
    unpackBundle(File(case.text(archive)), folder)
    val model = openBundle(folder).spec.name
    return checkSignature(folder, case.text(archive), key).also { checkModel(it, model, case.text(archive)) }
}

private fun goldenCase(case: GoldenCase, spec: ModelSpec): String {
    val (tensor, geometry) = preprocess(case.picture, spec.input)
    if (!tensor.contentEquals(case.tensor)) return "${case.id}:other tensor"
    if (case.yuv != null && !camera(case.yuv, case, spec).contentEquals(tensor)) return "${case.id}:other camera tensor"
    return if (answers(case.outputs, spec, geometry) == case.answers) "${case.id}:met" else "${case.id}:other answers"
}

private fun camera(yuv: Yuv, case: GoldenCase, spec: ModelSpec): ByteArray {
    val frame = yuv420FromBytes(yuv.data, case.picture.width, case.picture.height, yuv.layout)
    val preprocessor = Preprocessor(spec.input)
    preprocessor.run(frame, yuv.matrix, yuv.range, case.picture.orientation)
    return preprocessor.tensor
}
