package com.google.ai.edge.litert

import com.sun.jna.Memory
import com.sun.jna.Pointer

class CompiledModel private constructor(
    pointer: Pointer,
    private val model: Pointer,
    private val environment: Environment,
    private val environmentManaged: Boolean,
) : JniHandle(pointer) {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    /** Taken and not passed on: there is no GPU here. */
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

    class Options(internal val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))

        var cpuOptions: CpuOptions? = null
        var gpuOptions: GpuOptions? = null

        companion object {
            @JvmStatic val CPU: Options = Options(Accelerator.CPU)
        }
    }

    fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer {
        val at = signatures.find(signature)
        val index = at.inputs.place(inputName)
        val needs =
            pointer("input $inputName") {
                library.LiteRtGetCompiledModelInputBufferRequirements(handle, at.index, index, it)
            }
        return buffer("input $inputName", inputType(inputName, signature), needs)
    }

    fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer {
        val at = signatures.find(signature)
        val index = at.outputs.place(outputName)
        val needs =
            pointer("output $outputName") {
                library.LiteRtGetCompiledModelOutputBufferRequirements(handle, at.index, index, it)
            }
        return buffer("output $outputName", outputType(outputName, signature), needs)
    }

    fun getInputTensorType(inputName: String, signature: String = ""): TensorType =
        tensorType(inputType(inputName, signature))

    fun getOutputTensorType(outputName: String, signature: String = ""): TensorType =
        tensorType(outputType(outputName, signature))

    private fun inputType(name: String, signature: String): Memory {
        val at = signatures.find(signature)
        val index = at.inputs.place(name)
        return type("input $name") { library.LiteRtGetSignatureInputTensorByIndex(at.handle, index, it) }
    }

    private fun outputType(name: String, signature: String): Memory {
        val at = signatures.find(signature)
        val index = at.outputs.place(name)
        return type("output $name") { library.LiteRtGetSignatureOutputTensorByIndex(at.handle, index, it) }
    }

    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String = "") {
        val at = signatures.find(signature)
        val given = handles(at.inputs.map { inputs.getValue(it).handle })
        val taken = handles(at.outputs.map { outputs.getValue(it).handle })
        val counts = at.inputs.size.toLong() to at.outputs.size.toLong()
        check(
            library.LiteRtRunCompiledModel(handle, at.index, counts.first, given, counts.second, taken),
            "the run",
        )
    }

    private class Signature(
        val index: Long,
        val handle: Pointer,
        val key: String,
        val inputs: List<String>,
        val outputs: List<String>,
    )

    private val signatures: List<Signature> by lazy {
        val count = number("the signatures") { library.LiteRtGetNumModelSignatures(model, it) }
        (0 until count).map { index ->
            val handle = pointer("signature $index") { library.LiteRtGetModelSignature(model, index, it) }
            val inputs = number("its inputs") { library.LiteRtGetNumSignatureInputs(handle, it) }
            val outputs = number("its outputs") { library.LiteRtGetNumSignatureOutputs(handle, it) }
            Signature(
                index,
                handle,
                pointer("its key") { library.LiteRtGetSignatureKey(handle, it) }.getString(0),
                (0 until inputs).map { i ->
                    pointer("input $i") { library.LiteRtGetSignatureInputName(handle, i, it) }.getString(0)
                },
                (0 until outputs).map { i ->
                    pointer("output $i") { library.LiteRtGetSignatureOutputName(handle, i, it) }.getString(0)
                },
            )
        }
    }

    private fun List<Signature>.find(key: String): Signature =
        firstOrNull { key.isEmpty() || it.key == key } ?: throw LiteRtException(NOT_FOUND, "no signature $key")

    private fun List<String>.place(name: String): Long {
        if (name !in this) throw LiteRtException(NOT_FOUND, "no tensor $name among $this")
        return indexOf(name).toLong()
    }

    private fun type(what: String, call: (com.sun.jna.ptr.PointerByReference) -> Int): Memory {
        val type = Memory(TENSOR_TYPE_BYTES)
        check(library.LiteRtGetRankedTensorType(pointer(what, call), type), what)
        return type
    }

    private fun buffer(what: String, type: Memory, needs: Pointer) =
        TensorBuffer(
            pointer(what) {
                library.LiteRtCreateManagedTensorBufferFromRequirements(environment.handle, type, needs, it)
            },
            type.getInt(0),
        )

    override fun destroy(handle: Pointer) {
        library.LiteRtDestroyCompiledModel(handle)
        library.LiteRtDestroyModel(model)
        if (environmentManaged) environment.close()
    }

    companion object {
        private const val NOT_FOUND = 6

        @JvmStatic
        @JvmOverloads
        fun create(
            filePath: String,
            options: Options = Options.CPU,
            optionalEnv: Environment? = null,
        ): CompiledModel {
            val environment = optionalEnv ?: Environment.create()
            val model =
                pointer("Failed to load model") { library.LiteRtCreateModelFromFile(environment.handle, filePath, it) }
            try {
                val compiled = compile(environment, model, options)
                return CompiledModel(compiled, model, environment, optionalEnv == null)
            } catch (refused: LiteRtException) {
                library.LiteRtDestroyModel(model)
                throw refused
            }
        }

        private fun compile(environment: Environment, model: Pointer, options: Options): Pointer {
            // As on Android: the NPU alone is the NPU and the CPU, and NONE is a second one that adds nothing.
            val asked = options.accelerators
            val units = if (asked == setOf(Accelerator.NPU)) asked + Accelerator.CPU else asked
            val made = pointer("the options") { library.LiteRtCreateOptions(it) }
            try {
                check(library.LiteRtSetOptionsHardwareAccelerators(made, units.sumOf { it.bit }), "the options")
                options.cpuOptions?.let { add(made, "xnnpack", it) }
                return pointer("Failed to compile model") {
                    library.LiteRtCreateCompiledModel(environment.handle, model, made, it)
                }
            } finally {
                library.LiteRtDestroyOptions(made)
            }
        }

        /** The library takes what belongs to one accelerator as TOML, and frees it. */
        private fun add(options: Pointer, identifier: String, cpu: CpuOptions) {
            val lines =
                listOfNotNull(
                    cpu.numThreads?.let { "num_threads = $it\n" },
                    cpu.xnnPackFlags?.let { "flags = $it\n" },
                    cpu.xnnPackWeightCachePath?.let { "weight_cache_file_path = \"$it\"\n" },
                )
            val text = memory.strdup(lines.joinToString(""))
            val opaque = pointer("the options") { library.LiteRtCreateOpaqueOptions(identifier, text, free, it) }
            check(library.LiteRtAddOpaqueOptions(options, opaque), "the options")
        }
    }
}
