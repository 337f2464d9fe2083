package samesight.contract

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

// The fields of model.json one by one, with the bounds and in the order of Python's spec.py.

private val NAME = Regex("[a-z0-9][a-z0-9_-]{0,63}")

private fun Value.side() = int(1, 8192)

private fun Value.level() = int(0, 255)

internal fun modelSpec(fields: Fields): ModelSpec =
    ModelSpec(
        name = fields.required("name") { text(NAME) },
        task = fields.required("task") { choice(Task.entries) },
        input = fields.required("input") { fields("Input", ::input) },
        outputs = fields.required("outputs") { fields("Outputs", ::outputs) },
        detection = fields.optional("detection", null) { orNull { fields("Detection", ::detection) } },
        labels = fields.required("labels") { list(1) { text() } },
        topK = fields.optional("top_k", 5) { int(1) },
    )

private fun input(fields: Fields) =
    Input(
        width = fields.required("width") { side() },
        height = fields.required("height") { side() },
        channels = fields.optional("channels", Channels.RGB) { choice(Channels.entries) },
        framing = fields.optional("framing", Stretch) { framing() },
        filter = fields.optional("filter", Filter.BILINEAR) { choice(Filter.entries) },
        background = fields.optional("background", listOf(255, 255, 255)) { tuple(3) { level() } },
        valueRange = fields.optional("value_range", listOf(0.0, 1.0)) { tuple(2) { number() } },
        mean = fields.required("mean") { list { number() } },
        std = fields.required("std") { list { positive() } },
    )

private fun Value.positive(): Double {
    val value = number()
    return if (value > 0.0) value else wrong("Input should be greater than 0")
}

private fun Value.framing(): Framing {
    val plain = json as? JsonObject
        ?: wrong("Input should be a valid dictionary or object to extract fields from")
    val rule = (plain["rule"] as? JsonPrimitive)?.content
        ?: wrong("Unable to extract tag using discriminator 'rule'")
    // pydantic's path of a union names the chosen member.
    val chosen = Value(plain, inside(rule))
    return when (rule) {
        "stretch" -> chosen.fields("Stretch") { Stretch.also { _ -> it.rule() } }
        "crop" -> chosen.fields("Crop") { Crop(it.rule().required("resize_shorter") { side() }) }
        "letterbox" -> chosen.fields("Letterbox") { Letterbox(it.rule().optional("pad", 114) { level() }) }
        "stretch_crop" ->
            chosen.fields("StretchCrop") { fields ->
                val width = fields.rule().required("resize_width") { side() }
                StretchCrop(width, fields.required("resize_height") { side() })
            }
        else ->
            wrong(
                "Input tag '$rule' found using 'rule' does not match any of the expected tags: " +
                    "'stretch', 'crop', 'letterbox', 'stretch_crop'",
            )
    }
}

private fun Fields.rule(): Fields = also { required("rule") { text() } }

private fun outputs(fields: Fields) =
    Outputs(
        tensors = fields.required("tensors") { list(1) { text() } },
        roles = fields.required("roles") { byRole { fields("Slice", ::slice) } },
        activation = fields.required("activation") { choice(Activation.entries) },
    )

/** An object with roles as keys. */
internal fun <T> Value.byRole(parse: Value.() -> T): Map<Role, T> =
    map { this }.entries.associate { (key, value) ->
        val names = Role.entries.map { it.label }
        if (key !in names) throw FieldProblem("${inside(key)}.[key]: Input should be ${alternatives(names)}")
        val role = Role.entries.first { it.label == key }
        role to value.parse()
    }

private fun slice(fields: Fields) =
    Slice(
        tensor = fields.required("tensor") { text() },
        channelAxis = fields.optional("channel_axis", null) { orNull { axis() } },
        start = fields.optional("start", 0) { int(0) },
        stop = fields.optional("stop", null) { orNull { int(1) } },
    )

private fun Value.axis(): Int {
    val axis = (json as? JsonPrimitive)?.takeUnless { it.isString }?.content?.toIntOrNull()
    return if (axis == 1 || axis == 2) axis else wrong("Input should be 1 or 2")
}

private fun detection(fields: Fields) =
    Detection(
        boxes = fields.required("boxes") { fields("BoxCoding", ::boxCoding) },
        background = fields.optional("background", null) { orNull { int(0) } },
        scoreThreshold = fields.optional("score_threshold", 0.4) { fraction() },
        iouThreshold = fields.optional("iou_threshold", 0.5) { fraction() },
        maxDetections = fields.optional("max_detections", 100) { int(1) },
        suppression = fields.optional("suppression", Suppression.CLASS_WISE) { choice(Suppression.entries) },
        objectness = fields.optional("objectness", Combination.PRODUCT) { choice(Combination.entries) },
    )

private fun boxCoding(fields: Fields) =
    BoxCoding(
        coding = fields.required("coding") { choice(Coding.entries) },
        unit = fields.optional("unit", BoxUnit.PIXELS) { choice(BoxUnit.entries) },
        strides = fields.optional("strides", emptyList()) { list { side() } },
        grids = fields.optional("grids", emptyList()) { list { fields("AnchorGrid", ::anchorGrid) } },
        divisors = fields.optional("divisors", listOf(1.0, 1.0, 1.0, 1.0)) { tuple(4) { positive() } },
    )

private fun anchorGrid(fields: Fields) =
    AnchorGrid(
        columns = fields.required("columns") { side() },
        rows = fields.required("rows") { side() },
        step = fields.required("step") { tuple(2) { positive() } },
        offset = fields.optional("offset", 0.5) { fraction() },
        anchors = fields.required("anchors") { list(1) { tuple(2) { positive() } } },
    )
