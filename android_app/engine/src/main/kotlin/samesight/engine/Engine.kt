package samesight.engine

import java.io.File
import samesight.contract.Artifact
import samesight.contract.Bundle
import samesight.contract.ComputeUnit
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor

/** One loaded artifact on one unit. Not for several threads at once; [ModelHolder] keeps them apart. */
interface Engine : AutoCloseable {
    /** Whether no other unit can run what was loaded: then the unit asked for is the unit that runs. */
    val certain: Boolean

    /** Multiply-accumulates of one run; null where the file does not tell. */
    val operations: Long?

    /** Names of the delegates inside an ExecuTorch program; empty for other runtimes. */
    val delegates: List<String>

    /**
     * Raw outputs of an input tensor uint8 [H, W, C], dequantized; the arrays are new with every run.
     *
     * @throws SamesightError the tensor or an output is not as the manifest says, or the runtime failed.
     */
    fun run(tensor: ByteArray): Map<Role, Tensor>

    /** Gives the memory back; a second call does nothing. */
    override fun close()
}

/** How a unit is asked for. */
enum class Mode {
    /** By itself, as fast as it can: a GPU computes in float16. */
    ALONE,

    /** A GPU in float32. */
    FLOAT32,

    /** With the CPU, which takes what the unit cannot: then nothing says that the unit ran at all. */
    WITH_CPU,
}

/**
 * An artifact and where it is.
 *
 * @property sha256 of its content, which tells it from others in caches.
 */
class ArtifactFile(val artifact: Artifact, val path: File, val sha256: String)

/** An artifact of a bundle. */
fun artifactFile(bundle: Bundle, artifact: Artifact) =
    ArtifactFile(artifact, bundle.path(artifact), bundle.sha256(artifact))

/** A runtime that loads artifacts. */
interface Opener : AutoCloseable {
    /** How [unit] can be asked for. */
    fun modes(unit: ComputeUnit): Set<Mode> = setOf(Mode.ALONE)

    /**
     * Loads an artifact for one unit.
     *
     * @param mode one of [modes].
     * @throws SamesightError the file is damaged or not for this runtime, or the runtime refuses; with its words.
     */
    fun open(file: ArtifactFile, unit: ComputeUnit, mode: Mode = Mode.ALONE): Engine
}

internal fun checkFormat(file: ArtifactFile, format: String) {
    val (artifact, path) = file.artifact to file.path
    if (artifact.format != format) {
        throw SamesightError("$path: is of format ${artifact.format}, and this runtime takes $format; choose another")
    }
    if (!path.isFile) throw SamesightError("$path: missing; copy the whole bundle again")
}

internal fun checkInput(artifact: Artifact, tensor: ByteArray) {
    val expected = artifact.input.shape.fold(1, Int::times)
    if (tensor.size != expected) {
        throw SamesightError("artifact ${artifact.name}: takes $expected values, not ${tensor.size}")
    }
}

internal fun checkOutput(artifact: Artifact, index: Int, size: Int): List<Int> {
    val info = artifact.outputs[index]
    if (size != info.shape.fold(1, Int::times)) {
        throw SamesightError(
            "artifact ${artifact.name}: output ${info.name} has $size values, the manifest says ${info.shape}; " +
                "the file is not the one that the manifest describes, make the bundle anew",
        )
    }
    return info.shape
}

internal fun roles(artifact: Artifact): List<Role> =
    artifact.outputs.map {
        it.role ?: throw SamesightError("artifact ${artifact.name}: output ${it.name} plays no role")
    }

/** Closes all of [parts], last first, also where one fails; the first failure is thrown. */
internal fun closeAll(parts: List<AutoCloseable>) {
    var first: Exception? = null
    for (part in parts.asReversed()) {
        try {
            part.close()
        } catch (problem: Exception) {
            first = first ?: problem
        }
    }
    first?.let { throw it }
}
