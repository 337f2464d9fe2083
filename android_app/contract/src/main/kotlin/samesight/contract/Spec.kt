package samesight.contract

import java.io.File

/** What an output is, in the order of every artifact's outputs. */
enum class Role { LOGITS, BOXES, OBJECTNESS }

/** The network's channels; [count] of them. */
enum class Channels(val count: Int) { RGB(3), BGR(3), GREY(1) }

/** Which part of the upright image the network sees. */
sealed interface Framing

/** The whole image resized to the input size, whatever its aspect. */
data object Stretch : Framing

/** The shorter side resized to [resizeShorter], then the middle cut out (torchvision's Resize and CenterCrop). */
data class Crop(val resizeShorter: Int) : Framing

/** The whole image fitted inside the input size with its aspect kept, centred on a border of level [pad]. */
data class Letterbox(val pad: Int = 114) : Framing

/** The whole image resized to [resizeWidth] x [resizeHeight], whatever its aspect, then the middle cut out. */
data class StretchCrop(val resizeWidth: Int, val resizeHeight: Int) : Framing

/**
 * How an image becomes the network's input.
 *
 * [valueRange], [mean] and [std] tell what the *original* network takes; artifacts take 0..255. [background] is the
 * colour that shows through transparent pixels.
 */
data class Input(
    val width: Int,
    val height: Int,
    val channels: Channels = Channels.RGB,
    val framing: Framing = Stretch,
    val filter: Filter = Filter.BILINEAR,
    val background: List<Int> = listOf(255, 255, 255),
    val valueRange: List<Double> = listOf(0.0, 1.0),
    val mean: List<Double>,
    val std: List<Double>,
) {
    init {
        for ((field, values) in listOf("mean" to mean, "std" to std)) {
            require(values.size == channels.count) {
                "$field has ${values.size} values, but ${channels.label} has ${channels.count} channels"
            }
        }
        val (low, high) = valueRange
        require(low < high) { "value_range must rise, not [${decimal(low)}, ${decimal(high)}]" }
        require(framing !is Crop || framing.resizeShorter >= maxOf(width, height)) {
            "resize_shorter ${(framing as Crop).resizeShorter} is smaller than the input $width x $height: " +
                "the crop would leave the image"
        }
        if (framing is StretchCrop) {
            require(framing.resizeWidth >= width && framing.resizeHeight >= height) {
                "${framing.resizeWidth} x ${framing.resizeHeight} is smaller than the input $width x $height: " +
                    "the crop would leave the image"
            }
        }
    }
}

/**
 * Where a role is in the original network's outputs: channels [start] to [stop] of one output tensor.
 *
 * For detection [channelAxis] is 2 for [1, N, channels] and 1 for [1, channels, N]; for classification 1.
 */
data class Slice(val tensor: String, val channelAxis: Int? = null, val start: Int = 0, val stop: Int? = null) {
    init {
        require(stop == null || stop > start) { "slice of ${quoted(tensor)} is empty: start $start, stop $stop" }
    }
}

/**
 * The original network's outputs by name, in order, and which part of them plays which role.
 *
 * Artifacts always have one output per role: logits [1, C] or [1, N, C], boxes [1, N, 4], objectness [1, N, 1].
 */
data class Outputs(val tensors: List<String>, val roles: Map<Role, Slice>, val activation: Activation) {
    init {
        require(tensors.toSet().size == tensors.size) { "two outputs have the same name" }
        for ((role, part) in roles) {
            require(part.tensor in tensors) {
                "role '${role.label}' names output ${quoted(part.tensor)}, but the outputs are ${tensors.map(::quoted)}"
            }
        }
        require(Role.LOGITS in roles) { "no output plays the role 'logits'" }
    }
}

/** What the four numbers of a raw box are. */
enum class Coding { DISTANCES, CORNERS, CENTER_SIZE, ANCHOR_DELTAS }

/** What a raw box counts in: input pixels, the input's width and height, the cell's size, or the anchor's. */
enum class BoxUnit { PIXELS, FRACTION, STRIDE, ANCHOR }

/** Of all grids together; a table of them is set up. */
private const val MOST_POSITIONS = 1L shl 22

/**
 * A grid of [columns] x [rows] cells with the same anchors in each, all in input pixels.
 *
 * The point of cell (column, row) is ((column + offset) * step x, (row + offset) * step y); each of the [anchors], a
 * width and a height, has its middle there.
 */
data class AnchorGrid(
    val columns: Int,
    val rows: Int,
    val step: List<Double>,
    val offset: Double = 0.5,
    val anchors: List<List<Double>>,
)

/**
 * What the four numbers of a raw box mean.
 *
 * DISTANCES: left, top, right, bottom from the middle of a grid cell; [strides] lists the grids in order, each
 * row-major with width div stride columns and height div stride rows; or from the points of [grids]. CORNERS: x1, y1,
 * x2, y2. CENTER_SIZE: cx, cy, w, h. ANCHOR_DELTAS: how far the middle is from an anchor's, in its widths and heights,
 * and the logarithms of how much wider and higher the box is, each times its number of [divisors]. [grids] are listed
 * in order, each row-major, and in a cell anchor by anchor.
 */
data class BoxCoding(
    val coding: Coding,
    val unit: BoxUnit = BoxUnit.PIXELS,
    val strides: List<Int> = emptyList(),
    val grids: List<AnchorGrid> = emptyList(),
    val divisors: List<Double> = listOf(1.0, 1.0, 1.0, 1.0),
) {
    init {
        require(coding != Coding.DISTANCES || strides.isEmpty() != grids.isEmpty()) {
            "the coding 'distances' needs strides or grids, one of them"
        }
        require(coding == Coding.DISTANCES || strides.isEmpty()) { "strides are for the coding 'distances'" }
        require(coding != Coding.ANCHOR_DELTAS || grids.isNotEmpty()) { "the coding 'anchor_deltas' needs grids" }
        require((coding != Coding.CORNERS && coding != Coding.CENTER_SIZE) || grids.isEmpty()) {
            "grids are for the codings 'distances' and 'anchor_deltas'"
        }
        require(unit != BoxUnit.STRIDE || strides.isNotEmpty()) {
            "the unit 'stride' is for the coding 'distances' with strides"
        }
        require(unit != BoxUnit.ANCHOR || (coding == Coding.DISTANCES && grids.isNotEmpty())) {
            "the unit 'anchor' is for the coding 'distances' with grids"
        }
        require(coding != Coding.ANCHOR_DELTAS || unit == BoxUnit.PIXELS) {
            "the coding 'anchor_deltas' counts in anchors and has no other unit"
        }
        require(coding == Coding.ANCHOR_DELTAS || divisors.all { it == 1.0 }) {
            "divisors are for the coding 'anchor_deltas'"
        }
        val positions = grids.sumOf { it.columns.toLong() * it.rows * it.anchors.size }
        require(positions <= MOST_POSITIONS) { "the grids have $positions positions, more than $MOST_POSITIONS" }
    }
}

enum class Suppression { CLASS_WISE, NONE }

/** How a class's score and objectness become one score. */
enum class Combination { PRODUCT, GEOMETRIC_MEAN }

/** How raw heads become boxes: coding, thresholds, suppression, and how objectness goes into a score. */
data class Detection(
    val boxes: BoxCoding,
    val background: Int? = null,
    val scoreThreshold: Double = 0.4,
    val iouThreshold: Double = 0.5,
    val maxDetections: Int = 100,
    val suppression: Suppression = Suppression.CLASS_WISE,
    val objectness: Combination = Combination.PRODUCT,
)

/** One model: name, task, input, outputs, labels. Written as `model.json`; `docs/contract.md` says what fields mean. */
data class ModelSpec(
    val name: String,
    val task: Task,
    val input: Input,
    val outputs: Outputs,
    val detection: Detection? = null,
    val labels: List<String>,
    val topK: Int = 5,
) {
    /** The roles of this model in their fixed order. */
    val roles: List<Role>
        get() = Role.entries.filter { it in outputs.roles }

    /** Channels of the logits: one per label, and one more where there is a background class. */
    val classCount: Int
        get() = labels.size + if (detection?.background != null) 1 else 0

    init {
        labelProblem(labels)?.let { throw IllegalArgumentException(it) }
        TASKS.getValue(task).checkSpec(this)
    }
}

/**
 * Reads a spec from JSON.
 *
 * @throws SamesightError not JSON, of a newer schema, or contradicting itself; the sentence begins with [source].
 */
fun parseSpec(text: ByteArray, source: String): ModelSpec = parseDocument("ModelSpec", text, source, ::modelSpec)

/**
 * Reads `model.json`.
 *
 * @throws SamesightError as [parseSpec], or the file cannot be read.
 */
fun readSpec(file: File): ModelSpec = readDocument("ModelSpec", file, ::modelSpec)
