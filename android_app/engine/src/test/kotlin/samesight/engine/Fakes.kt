package samesight.engine

import java.io.File
import samesight.contract.Activation
import samesight.contract.Artifact
import samesight.contract.ComputeUnit
import samesight.contract.Dtype
import samesight.contract.GoldenCase
import samesight.contract.Input
import samesight.contract.ModelSpec
import samesight.contract.Outputs
import samesight.contract.Picture
import samesight.contract.Platform
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Slice
import samesight.contract.Task
import samesight.contract.Tensor
import samesight.contract.TensorInfo
import samesight.contract.TensorLayout

// A network of 2 x 1 pixels and two classes: its logits are the sums of the first and of the second three bytes.

internal val spec =
    ModelSpec(
        name = "sums",
        task = Task.CLASSIFICATION,
        input = Input(width = 2, height = 1, mean = listOf(0.0, 0.0, 0.0), std = listOf(1.0, 1.0, 1.0)),
        outputs = Outputs(listOf("logits"), mapOf(Role.LOGITS to Slice("logits")), Activation.SOFTMAX),
        labels = listOf("left", "right"),
    )

internal fun artifact(format: String = "litert", unit: ComputeUnit = ComputeUnit.CPU, delegated: Double? = null) =
    Artifact(
        name = "sums.fp32",
        file = "artifacts/sums",
        format = format,
        precision = "fp32",
        unit = unit,
        platforms = listOf(Platform.ANDROID),
        runtime = "",
        runtimeVersion = "",
        osMinimum = emptyMap(),
        soc = emptyList(),
        inputLayout = TensorLayout.FLOAT32_NCHW,
        input = TensorInfo("image", null, listOf(1, 3, 1, 2), Dtype.FLOAT32, "nchw"),
        outputs = listOf(TensorInfo("logits", Role.LOGITS, listOf(1, 2), Dtype.FLOAT32)),
        tools = emptyMap(),
        delegated = delegated,
        plan = null,
        bytes = 1,
    )

internal fun logits(tensor: ByteArray) =
    FloatArray(2) { side -> (0 until 3).sumOf { tensor[3 * side + it].toInt() and 255 }.toFloat() }

private fun outputs(values: FloatArray) = mapOf(Role.LOGITS to Tensor(listOf(1, values.size), values))

internal val cases =
    List(3) { number ->
        val tensor = ByteArray(6) { (it * (number + 3) * 7).toByte() }
        val right = outputs(logits(tensor))
        GoldenCase("00$number", Picture(tensor, 2, 1), null, tensor, listOf(1, 2, 3), right, emptyList())
    }

/** Nanoseconds that only fakes move. */
internal class Clock {
    var now = 0L
}

/** How one unit behaves. */
internal class Behaviour(
    val steady: Long = 1_000_000,
    val first: Long = 5 * steady,
    val load: Long = 20_000_000,
    val certain: Boolean = true,
    val operations: Long? = null,
    val opening: () -> Unit = {},
    val answer: (ByteArray) -> FloatArray = ::logits,
)

/**
 * A runtime whose units behave as told; a unit without behaviour is refused.
 *
 * @param others what units do in other modes than alone; none: there is no such mode.
 */
internal class FakeOpener(
    private val units: Map<ComputeUnit, Behaviour>,
    private val clock: Clock = Clock(),
    private val others: Map<Pair<ComputeUnit, Mode>, Behaviour> = emptyMap(),
) : Opener {
    val opened = mutableListOf<ComputeUnit>()
    val asked = mutableListOf<Pair<ComputeUnit, Mode>>()
    var inMemory = 0
    var mostInMemory = 0

    override fun modes(unit: ComputeUnit) = setOf(Mode.ALONE) + others.keys.filter { it.first == unit }.map { it.second }

    override fun open(file: ArtifactFile, unit: ComputeUnit, mode: Mode): Engine {
        asked += unit to mode
        val found = if (mode == Mode.ALONE) units[unit] else others[unit to mode]
        val behaviour = found ?: throw SamesightError("status 504 for $unit")
        opened += unit
        behaviour.opening()
        clock.now += behaviour.load
        inMemory++
        mostInMemory = maxOf(mostInMemory, inMemory)
        return FakeEngine(behaviour)
    }

    override fun close() = Unit

    inner class FakeEngine(private val behaviour: Behaviour) : Engine {
        override val certain = behaviour.certain
        override val operations = behaviour.operations
        override val delegates = emptyList<String>()
        private var ran = false
        private var closed = false

        override fun run(tensor: ByteArray): Map<Role, Tensor> {
            check(!closed) { "run after close" }
            clock.now += if (ran) behaviour.steady else behaviour.first
            ran = true
            return outputs(behaviour.answer(tensor))
        }

        override fun close() {
            if (!closed) inMemory--
            closed = true
        }
    }
}

internal val sums = ArtifactFile(artifact(), File("sums"), "0".repeat(64))

internal fun request(vararg units: ComputeUnit) =
    if (units.isEmpty()) Request(sums, spec, cases) else Request(sums, spec, cases, units.toList())
