package com.google.ai.edge.litert

// A runtime of the signatures that `stubs` names, in their place: it does what a test tells, and notes what it was asked
// for. As the true one, it takes the NPU alone for the NPU and the CPU, and NONE for nothing more.

enum class Accelerator { NONE, CPU, GPU, NPU }

class LiteRtException(code: Int, message: String) : Exception(message) {
    init {
        require(code in 0..5001) { "Unknown status code: $code" }
    }
}

abstract class JniHandle internal constructor() : AutoCloseable {
    private var destroyed = false

    protected fun assertNotDestroyed() = check(!destroyed) { "The handle has been destroyed." }

    protected open fun destroy() = Unit

    final override fun close() {
        if (!destroyed) destroy()
        destroyed = true
    }
}

/** What a test tells LiteRT to do, and what it saw. */
object FakeLiteRt {
    var accelerators = setOf(Accelerator.CPU, Accelerator.GPU, Accelerator.NPU)

    /** What the units of a model do; throws where they refuse it. */
    var create: (Set<Accelerator>) -> Unit = {}
    var inputType = TensorType(TensorType.ElementType.FLOAT)
    var outputType = TensorType(TensorType.ElementType.FLOAT)
    var run: (Set<Accelerator>, FloatArray) -> FloatArray = { _, input -> input }
    val options = mutableListOf<CompiledModel.Options>()
    var inMemory = 0

    fun reset() {
        accelerators = setOf(Accelerator.CPU, Accelerator.GPU, Accelerator.NPU)
        create = {}
        inputType = TensorType(TensorType.ElementType.FLOAT)
        outputType = TensorType(TensorType.ElementType.FLOAT)
        run = { _, input -> input }
        options.clear()
        inMemory = 0
    }
}

class Environment private constructor() : JniHandle() {
    fun getAvailableAccelerators(): Set<Accelerator> = FakeLiteRt.accelerators

    enum class Option { CompilerPluginLibraryDir, DispatchLibraryDir }

    companion object {
        @JvmStatic
        @JvmOverloads
        fun create(options: Map<Option, String> = mapOf()): Environment = Environment().also { check(options.isEmpty()) }
    }
}

data class TensorType(val elementType: ElementType, val layout: Layout? = null) {
    enum class ElementType { INT, FLOAT, INT8, BOOLEAN, INT64 }

    data class Layout(val dimensions: List<Int>, val strides: List<Int> = listOf())
}

class CompiledModel private constructor(private val units: Set<Accelerator>) : JniHandle() {
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

    class Options(val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))

        var cpuOptions: CpuOptions? = null
        var gpuOptions: GpuOptions? = null

        companion object {
            @JvmStatic val CPU: Options = Options(Accelerator.CPU)
        }
    }

    fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer = TensorBuffer("$inputName $signature")

    fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer =
        TensorBuffer("$outputName $signature")

    fun getInputTensorType(inputName: String, signature: String = ""): TensorType {
        check(inputName.isNotEmpty() && signature.isNotEmpty())
        return FakeLiteRt.inputType
    }

    fun getOutputTensorType(outputName: String, signature: String = ""): TensorType {
        check(outputName.isNotEmpty() && signature.isNotEmpty())
        return FakeLiteRt.outputType
    }

    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String = "") {
        assertNotDestroyed()
        check(signature.isNotEmpty())
        outputs.values.single().floats = FakeLiteRt.run(units, inputs.values.single().floats)
    }

    override fun destroy() {
        FakeLiteRt.inMemory--
    }

    companion object {
        @JvmStatic
        @JvmOverloads
        fun create(filePath: String, options: Options = Options.CPU, optionalEnv: Environment? = null): CompiledModel {
            checkNotNull(optionalEnv) { "an environment of its own for $filePath" }
            FakeLiteRt.options += options
            val asked = options.accelerators
            val added = if (asked == setOf(Accelerator.NPU)) asked + Accelerator.CPU else asked
            val units = added - Accelerator.NONE
            FakeLiteRt.create(units)
            FakeLiteRt.inMemory++
            return CompiledModel(units)
        }
    }
}

class TensorBuffer internal constructor(private val name: String) : JniHandle() {
    internal var floats = FloatArray(0)

    fun writeFloat(data: FloatArray) {
        assertNotDestroyed()
        floats = data.copyOf()
    }

    fun writeInt8(data: ByteArray): Unit = error("$name takes no bytes, not ${data.size}")

    fun readFloat(): FloatArray = floats

    fun readInt8(): ByteArray = error("$name gives no bytes")
}
