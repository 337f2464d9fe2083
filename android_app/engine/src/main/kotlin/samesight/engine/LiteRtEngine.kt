package samesight.engine

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import java.io.File
import samesight.contract.Artifact
import samesight.contract.ComputeUnit
import samesight.contract.Dtype
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.TensorLayout
import samesight.contract.dequantize
import samesight.contract.pack

private const val FORMAT = "litert"
private const val SIGNATURE = "serving_default"

/** LiteRT's `CompiledModel`. Owns [environment], which knows where an NPU's libraries are. */
class LiteRtOpener(private val environment: Environment) : Opener {
    override fun open(artifact: Artifact, file: File, unit: ComputeUnit): Engine {
        checkFormat(artifact, file, FORMAT)
        val graph = readGraph(file)
        return translateErrors(file) {
            if (unit == ComputeUnit.NPU) requireNpu()
            val model = CompiledModel.create(file.path, CompiledModel.Options(accelerator(unit)), environment)
            // Options(NPU) means {NPU, CPU}: only a graph that the CPU cannot run is certain to be on the NPU.
            val certain = unit != ComputeUnit.NPU || graph.isDispatch
            try {
                LiteRtEngine(artifact, file, model, certain, graph.operations)
            } catch (problem: Throwable) {
                model.close()
                throw problem
            }
        }
    }

    private fun requireNpu() {
        val accelerators = environment.getAvailableAccelerators()
        if (Accelerator.NPU !in accelerators) {
            throw SamesightError("the NPU is not among the accelerators that LiteRT finds here: $accelerators")
        }
    }

    override fun close() = environment.close()
}

private fun accelerator(unit: ComputeUnit) =
    when (unit) {
        ComputeUnit.CPU -> Accelerator.CPU
        ComputeUnit.GPU -> Accelerator.GPU
        ComputeUnit.NPU -> Accelerator.NPU
    }

private fun <T> translateErrors(file: File, act: () -> T): T =
    try {
        act()
    } catch (refusal: LiteRtException) {
        throw SamesightError("$file: LiteRT refuses: ${refusal.message}")
    }

private class LiteRtEngine(
    private val artifact: Artifact,
    private val file: File,
    private val model: CompiledModel,
    override val certain: Boolean,
    override val operations: Long,
) : Engine {
    override val delegates: List<String> = emptyList()
    private val roles = roles(artifact)
    private val integer = artifact.inputLayout == TensorLayout.INT8_NHWC
    private val bytes = ByteArray(if (integer) size() else 0)
    private val floats = FloatArray(if (integer) 0 else size())
    private val open = mutableListOf<AutoCloseable>()
    private val inputs: Map<String, TensorBuffer>
    private val outputs: Map<String, TensorBuffer>

    init {
        try {
            inputs = listOf(artifact.input).associate { info ->
                val name = info.signature ?: info.name
                name to model.createInputBuffer(name, SIGNATURE).also { open += it }
            }
            outputs = artifact.outputs.associate { info ->
                val name = info.signature ?: info.name
                name to model.createOutputBuffer(name, SIGNATURE).also { open += it }
            }
        } catch (problem: Throwable) {
            close()
            throw problem
        }
        // Until here whoever made it closes it; from here it is closed last.
        open.add(0, model)
    }

    private fun size() = artifact.input.shape.fold(1, Int::times)

    override fun run(tensor: ByteArray): Map<Role, Tensor> {
        if (open.isEmpty()) throw SamesightError("artifact ${artifact.name}: was closed; load it again")
        checkInput(artifact, tensor)
        return translateErrors(file) {
            write(tensor, inputs.values.single())
            model.run(inputs, outputs, SIGNATURE)
            outputs.values.withIndex().associate { (index, buffer) -> roles[index] to read(index, buffer) }
        }
    }

    private fun write(tensor: ByteArray, buffer: TensorBuffer) {
        // NHWC: the last side is the channels.
        val channels = artifact.input.shape.last()
        if (integer) {
            pack(tensor, channels, artifact.inputLayout, bytes)
            buffer.writeInt8(bytes)
        } else {
            pack(tensor, channels, artifact.inputLayout, floats)
            buffer.writeFloat(floats)
        }
    }

    private fun read(index: Int, buffer: TensorBuffer): Tensor {
        val info = artifact.outputs[index]
        val scale = info.scale
        val zeroPoint = info.zeroPoint
        if (info.dtype != Dtype.INT8 || scale == null || zeroPoint == null) {
            val values = buffer.readFloat()
            return Tensor(checkOutput(artifact, index, values.size), values)
        }
        val values = buffer.readInt8()
        val real = FloatArray(values.size)
        dequantize(values, true, scale, zeroPoint, real)
        return Tensor(checkOutput(artifact, index, values.size), real)
    }

    override fun close() {
        val parts = open.toList()
        open.clear()
        closeAll(parts)
    }
}
