package samesight.engine

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor as Value
import samesight.contract.Artifact
import samesight.contract.ComputeUnit
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.TensorLayout
import samesight.contract.pack

private const val FORMAT = "executorch"
private const val METHOD = "forward"

// A delegate's program is compiled for its unit when it is exported: no other unit can run it.
private val UNITS =
    mapOf(
        "XnnpackBackend" to ComputeUnit.CPU,
        "VulkanBackend" to ComputeUnit.GPU,
        "QnnBackend" to ComputeUnit.NPU,
        "NeuropilotBackend" to ComputeUnit.NPU,
        "EnnBackend" to ComputeUnit.NPU,
    )

/**
 * ExecuTorch's `Module`. The unit was chosen when the program was exported; another one is refused.
 *
 * @param threads of the CPU; 0 leaves the number to ExecuTorch.
 */
class ExecuTorchOpener(private val threads: Int = 0) : Opener {
    override fun open(file: ArtifactFile, unit: ComputeUnit, mode: Mode): Engine {
        checkFormat(file, FORMAT)
        val (artifact, path) = file.artifact to file.path
        if (artifact.inputLayout != TensorLayout.FLOAT32_NCHW) {
            throw SamesightError("artifact ${artifact.name}: ExecuTorch programs take float32 NCHW here")
        }
        // Not even loaded: that is when a driver may crash, and another unit would be blamed for it.
        if (artifact.unit != unit) {
            throw SamesightError("artifact ${artifact.name}: was exported for the ${artifact.unit}, not for the $unit")
        }
        return translateErrors(path) {
            // Pages of the file, and not a copy of it in memory.
            val module = Module.load(path.path, Module.LOAD_MODE_MMAP, threads)
            try {
                module.loadMethod(METHOD)
                val delegates = module.getMethodMetadata(METHOD).backends.distinct()
                checkUnit(artifact, delegates, unit)
                ExecuTorchEngine(artifact, path, module, delegates, unit)
            } catch (problem: Throwable) {
                module.close()
                throw problem
            }
        }
    }

    override fun close() = Unit
}

private fun checkUnit(artifact: Artifact, delegates: List<String>, unit: ComputeUnit) {
    // What stands outside of delegates runs on the CPU.
    val units = delegates.map { UNITS[it] ?: artifact.unit }.toSet().ifEmpty { setOf(ComputeUnit.CPU) }
    if (units != setOf(unit)) {
        val names = delegates.ifEmpty { listOf("none") }.joinToString()
        throw SamesightError(
            "artifact ${artifact.name}: was exported for ${units.joinToString()} (delegates: $names), not for the $unit",
        )
    }
}

private fun <T> translateErrors(file: File, act: () -> T): T =
    try {
        act()
    } catch (refusal: SamesightError) {
        throw refusal
    } catch (refusal: RuntimeException) {
        throw SamesightError("$file: ExecuTorch refuses: ${refusal.message ?: refusal}")
    }

private class ExecuTorchEngine(
    private val artifact: Artifact,
    private val file: File,
    private val module: Module,
    override val delegates: List<String>,
    unit: ComputeUnit,
) : Engine {
    override val certain = unit == ComputeUnit.CPU || artifact.delegated == 1.0
    override val operations: Long? = null
    private val roles = roles(artifact)
    private val shape = LongArray(artifact.input.shape.size) { artifact.input.shape[it].toLong() }
    private val floats = FloatArray(artifact.input.shape.fold(1, Int::times))

    // The runtime reads it where it is: a tensor of an array would be a new copy with every run.
    private val buffer = ByteBuffer.allocateDirect(4 * floats.size).order(ByteOrder.nativeOrder()).asFloatBuffer()
    private val input = EValue.from(Value.fromBlob(buffer, shape))
    private var closed = false

    override fun run(tensor: ByteArray): Map<Role, Tensor> {
        if (closed) throw SamesightError("artifact ${artifact.name}: was closed; load it again")
        checkInput(artifact, tensor)
        pack(tensor, artifact.input.shape[1], artifact.inputLayout, floats)
        buffer.clear()
        buffer.put(floats)
        val results = translateErrors(file) { module.forward(input) }
        if (results.size != roles.size || !results.all { it.isTensor }) {
            throw SamesightError(
                "$file: returned ${results.size} values, the manifest says ${roles.size}; make it anew",
            )
        }
        return roles.indices.associate { index ->
            val values = translateErrors(file) { results[index].toTensor().dataAsFloatArray }
            roles[index] to Tensor(checkOutput(artifact, index, values.size), values)
        }
    }

    override fun close() {
        if (closed) return
        closed = true
        module.close()
    }
}
