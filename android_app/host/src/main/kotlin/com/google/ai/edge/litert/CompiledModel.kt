package com.google.ai.edge.litert

import com.sun.jna.Memory
import com.sun.jna.Pointer

class CompiledModel private constructor(
    pointer: Pointer,
    private val model: Pointer,
    private val environment: Environment,
    private val environmentManaged: Boolean,
) : JniHandle(pointer) {
    class Options(internal vararg val accelerators: Accelerator) {
        companion object {
            @JvmStatic val CPU = Options(Accelerator.CPU)
        }
    }

    fun createInputBuffer(inputName: String, signature: String? = null): TensorBuffer {
        val at = signatures.find(signature)
        val index = at.inputs.place(inputName)
        val type = type("input $inputName") { library.LiteRtGetSignatureInputTensorByIndex(at.handle, index, it) }
        val needs =
            pointer("input $inputName") {
                library.LiteRtGetCompiledModelInputBufferRequirements(handle, at.index, index, it)
            }
        return buffer("input $inputName", type, needs)
    }

    fun createOutputBuffer(outputName: String, signature: String? = null): TensorBuffer {
        val at = signatures.find(signature)
        val index = at.outputs.place(outputName)
        val type = type("output $outputName") { library.LiteRtGetSignatureOutputTensorByIndex(at.handle, index, it) }
        val needs =
            pointer("output $outputName") {
                library.LiteRtGetCompiledModelOutputBufferRequirements(handle, at.index, index, it)
            }
        return buffer("output $outputName", type, needs)
    }

    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String? = null) {
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

    private fun List<Signature>.find(key: String?): Signature =
        firstOrNull { key == null || it.key == key } ?: throw LiteRtException(NOT_FOUND, "no signature $key")

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
            // As on Android: the NPU alone is the NPU and the CPU.
            val asked = options.accelerators.toSet()
            val units = if (asked == setOf(Accelerator.NPU)) asked + Accelerator.CPU else asked
            val made = pointer("the options") { library.LiteRtCreateOptions(it) }
            try {
                check(library.LiteRtSetOptionsHardwareAccelerators(made, units.sumOf { it.bit }), "the options")
                return pointer("Failed to compile model") {
                    library.LiteRtCreateCompiledModel(environment.handle, model, made, it)
                }
            } finally {
                library.LiteRtDestroyOptions(made)
            }
        }
    }
}
