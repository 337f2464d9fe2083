package com.google.ai.edge.litert

// LiteRT's Kotlin API as of 2.3, as far as the app calls it: names and signatures to compile against, no behaviour.
// The app runs with LiteRT's own library; tests with the layer in `host`. A test holds both to one list
// (`tests/android/runtime_signatures.txt`).

private fun signatureOnly(): Nothing = throw UnsupportedOperationException("a compile-only signature of LiteRT's API")

/** What a model is compiled for. */
enum class Accelerator { NONE, CPU, GPU, NPU }

/** What LiteRT throws; its status cannot be asked for. */
class LiteRtException(code: Int, message: String) : Exception(message)

/** Something of the library that is destroyed once. */
abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close(): Unit = signatureOnly()
}

/** The runtime and the accelerators that it found. */
class Environment private constructor() : JniHandle() {
    fun getAvailableAccelerators(): Set<Accelerator> = signatureOnly()

    enum class Option { CompilerPluginLibraryDir, DispatchLibraryDir }

    /** Takes the functions of `androidstubs`. */
    companion object {
        @JvmStatic
        @JvmOverloads
        fun create(options: Map<Option, String> = mapOf()): Environment = signatureOnly()
    }
}

/** The type of a tensor. */
data class TensorType(val elementType: ElementType, val layout: Layout? = null) {
    enum class ElementType { INT, FLOAT, INT8, BOOLEAN, INT64 }

    data class Layout(val dimensions: List<Int>, val strides: List<Int> = listOf())
}

/** A model compiled for the accelerators of its [Options]. */
class CompiledModel private constructor() : JniHandle() {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    data class GpuOptions(
        val constantTensorSharing: Boolean? = null,
        val infiniteFloatCapping: Boolean? = null,
        val allowSrcQuantizedFcConvOps: Boolean? = null,
        val precision: Precision? = null,
        val bufferStorageType: BufferStorageType? = null,
        val preferTextureWeights: Boolean? = null,
        val serializationDir: String? = null,
        val modelCacheKey: String? = null,
        val serializeProgramCache: Boolean? = null,
        val serializeExternalTensors: Boolean? = null,
        val backend: Backend? = null,
        val priority: Priority? = null,
        val numStepsOfCommandBufferPreparations: Int? = null,
    ) {
        enum class Precision { DEFAULT, FP16, FP32, FP16_WITH_FP32_ACCUM }

        enum class BufferStorageType { DEFAULT, BUFFER, TEXTURE_2D }

        enum class Backend { AUTOMATIC, OPENCL, WEBGPU, OPENGL }

        enum class Priority { DEFAULT, LOW, NORMAL, HIGH }
    }

    class Options(accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))

        var cpuOptions: CpuOptions? = null
        var gpuOptions: GpuOptions? = null

        init {
            check(accelerators.isEmpty()) { signatureOnly() }
        }

        companion object {
            @JvmStatic val CPU: Options = signatureOnly()
        }
    }

    fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer = signatureOnly()

    fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer = signatureOnly()

    fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String = "",
    ): Unit = signatureOnly()

    fun getInputTensorType(inputName: String, signature: String = ""): TensorType = signatureOnly()

    fun getOutputTensorType(outputName: String, signature: String = ""): TensorType = signatureOnly()

    companion object {
        @JvmStatic
        @JvmOverloads
        fun create(filePath: String, options: Options = Options.CPU, optionalEnv: Environment? = null): CompiledModel =
            signatureOnly()
    }
}

/** Memory of one input or output. */
class TensorBuffer private constructor() : JniHandle() {
    fun writeFloat(data: FloatArray): Unit = signatureOnly()

    fun writeInt8(data: ByteArray): Unit = signatureOnly()

    fun readFloat(): FloatArray = signatureOnly()

    fun readInt8(): ByteArray = signatureOnly()
}
