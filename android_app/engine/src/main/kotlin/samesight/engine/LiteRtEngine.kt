package samesight.engine

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import com.google.ai.edge.litert.TensorType
import java.io.File
import samesight.contract.ComputeUnit
import samesight.contract.Dtype
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.TensorInfo
import samesight.contract.TensorLayout
import samesight.contract.dequantize
import samesight.contract.pack

private const val FORMAT = "litert"
private const val SIGNATURE = "serving_default"
private val DISPATCH_LIBRARY = Regex("libLiteRtDispatch_.+\\.so")

/**
 * LiteRT's `CompiledModel`. Owns [environment], which knows where an NPU's libraries are.
 *
 * @param threads of the CPU: LiteRT's own default is one, and others are compared with the CPU as it is used.
 * @param npuLibraries the folder that [environment] was given for them. LiteRT counts the NPU among its accelerators
 *     as soon as it has such a folder, empty or not.
 * @param gpuCache a folder for the GPU's compiled programs, so that a second load takes less; null keeps none.
 */
class LiteRtOpener(
    private val environment: Environment,
    private val threads: Int,
    private val npuLibraries: File? = null,
    private val gpuCache: File? = null,
) : Opener {
    override fun modes(unit: ComputeUnit): Set<Mode> =
        when (unit) {
            ComputeUnit.CPU -> setOf(Mode.ALONE)
            ComputeUnit.GPU -> setOf(Mode.ALONE, Mode.FLOAT32)
            ComputeUnit.NPU -> setOf(Mode.ALONE, Mode.WITH_CPU)
        }

    override fun open(file: ArtifactFile, unit: ComputeUnit, mode: Mode): Engine {
        checkFormat(file, FORMAT)
        val graph = readGraph(file.path)
        val forNpu = graph.isDispatch || file.artifact.unit == ComputeUnit.NPU
        if (forNpu && unit != ComputeUnit.NPU) {
            throw SamesightError("artifact ${file.artifact.name}: was compiled for an NPU, and the $unit cannot run it")
        }
        return translateErrors(file.path) {
            if (unit == ComputeUnit.NPU) requireNpu()
            val model = CompiledModel.create(file.path.path, options(file, unit, mode), environment)
            // With the CPU beside it, only a graph that the CPU cannot run is certain to be on the NPU.
            val certain = mode != Mode.WITH_CPU || graph.isDispatch
            try {
                LiteRtEngine(file, model, certain, graph.operations)
            } catch (problem: Throwable) {
                model.close()
                throw problem
            }
        }
    }

    private fun options(file: ArtifactFile, unit: ComputeUnit, mode: Mode) =
        when (unit) {
            ComputeUnit.CPU -> withThreads(CompiledModel.Options(Accelerator.CPU))
            ComputeUnit.GPU ->
                CompiledModel.Options(Accelerator.GPU).apply { gpuOptions = gpuOptions(file, mode == Mode.FLOAT32) }
            // Options(NPU) would mean {NPU, CPU}. NONE adds no unit, and with it the NPU runs all or refuses.
            ComputeUnit.NPU ->
                if (mode == Mode.WITH_CPU) withThreads(CompiledModel.Options(Accelerator.NPU, Accelerator.CPU))
                else CompiledModel.Options(Accelerator.NPU, Accelerator.NONE)
        }

    private fun withThreads(options: CompiledModel.Options) =
        options.apply { cpuOptions = CompiledModel.CpuOptions(numThreads = threads) }

    private fun gpuOptions(file: ArtifactFile, float32: Boolean): CompiledModel.GpuOptions {
        val precision =
            if (float32) CompiledModel.GpuOptions.Precision.FP32 else CompiledModel.GpuOptions.Precision.DEFAULT
        val cache = gpuCache?.takeIf { it.isDirectory || it.mkdirs() }
        if (cache == null) return CompiledModel.GpuOptions(precision = precision)
        return CompiledModel.GpuOptions(
            precision = precision,
            serializationDir = cache.path,
            modelCacheKey = "${file.sha256.take(32)}-${if (float32) "float32" else "float16"}",
            serializeProgramCache = true,
        )
    }

    private fun requireNpu() {
        if (npuLibraries?.list().orEmpty().none(DISPATCH_LIBRARY::matches)) {
            throw SamesightError(
                "the NPU's libraries (libLiteRtDispatch_*.so) are not in this app; build it with those of the chip's maker",
            )
        }
        val accelerators = environment.getAvailableAccelerators()
        if (Accelerator.NPU !in accelerators) {
            throw SamesightError("the NPU is not among the accelerators that LiteRT finds here: $accelerators")
        }
    }

    override fun close() = environment.close()
}

/** Not only of [LiteRtException]: a status that LiteRT's Kotlin does not know is an IllegalArgumentException there. */
private fun <T> translateErrors(file: File, act: () -> T): T =
    try {
        act()
    } catch (refusal: LiteRtException) {
        throw SamesightError("$file: LiteRT refuses: ${refusal.message}")
    } catch (refusal: RuntimeException) {
        throw SamesightError("$file: LiteRT refuses: ${refusal.message ?: refusal}")
    }

private class LiteRtEngine(
    private val file: ArtifactFile,
    private val model: CompiledModel,
    override val certain: Boolean,
    override val operations: Long,
) : Engine {
    override val delegates: List<String> = emptyList()
    private val artifact = file.artifact
    private val roles = roles(artifact)
    private val integer = artifact.inputLayout == TensorLayout.INT8_NHWC
    private val bytes = ByteArray(if (integer) size() else 0)
    private val floats = FloatArray(if (integer) 0 else size())
    private val open = mutableListOf<AutoCloseable>()
    private val inputs: Map<String, TensorBuffer>
    private val outputs: Map<String, TensorBuffer>

    init {
        checkType("input", artifact.input, integer) { model.getInputTensorType(it, SIGNATURE) }
        for (info in artifact.outputs) {
            checkType("output", info, isQuantized(info)) { model.getOutputTensorType(it, SIGNATURE) }
        }
        try {
            inputs = listOf(artifact.input).associate { info ->
                name(info) to model.createInputBuffer(name(info), SIGNATURE).also { open += it }
            }
            outputs = artifact.outputs.associate { info ->
                name(info) to model.createOutputBuffer(name(info), SIGNATURE).also { open += it }
            }
        } catch (problem: Throwable) {
            close()
            throw problem
        }
        // Until here whoever made it closes it; from here it is closed last.
        open.add(0, model)
    }

    private fun size() = artifact.input.shape.fold(1, Int::times)

    private fun name(info: TensorInfo) = info.signature ?: info.name

    private fun isQuantized(info: TensorInfo) =
        info.dtype == Dtype.INT8 && info.scale != null && info.zeroPoint != null

    /** Asked once: LiteRT's buffers do not look at the type, and would be read beyond their end. */
    private fun checkType(what: String, info: TensorInfo, int8: Boolean, ask: (String) -> TensorType) {
        val type = ask(name(info))
        val expected = if (int8) TensorType.ElementType.INT8 else TensorType.ElementType.FLOAT
        val shape = type.layout?.dimensions
        if (type.elementType != expected || shape != null && shape != info.shape) {
            val found = listOfNotNull(type.elementType, shape).joinToString(" ")
            throw SamesightError(
                "${file.path}: $what ${info.name} is $found in the file, and $expected ${info.shape} in the manifest; " +
                    "the file is not the one that the manifest describes, make the bundle anew",
            )
        }
    }

    override fun run(tensor: ByteArray): Map<Role, Tensor> {
        if (open.isEmpty()) throw SamesightError("artifact ${artifact.name}: was closed; load it again")
        checkInput(artifact, tensor)
        return translateErrors(file.path) {
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
