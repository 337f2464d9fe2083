package com.google.ai.edge.litert

// LiteRT's Kotlin API as of 2.2, as far as the app calls it: names and signatures to compile against, no behaviour.
// The app runs with LiteRT's own library; tests with the layer in `host`.

private fun signatureOnly(): Nothing = throw UnsupportedOperationException("a compile-only signature of LiteRT's API")

/** What a model is compiled for. */
enum class Accelerator { NONE, CPU, GPU, NPU }

/** What LiteRT throws. */
class LiteRtException(code: Int, message: String) : Exception("$code $message")

/** The runtime and the accelerators that it found. */
class Environment private constructor() : AutoCloseable {
    fun getAvailableAccelerators(): Set<Accelerator> = signatureOnly()

    override fun close(): Unit = signatureOnly()

    /** Takes the functions of `androidstubs`. */
    companion object
}

/** A model compiled for the accelerators of its [Options]. */
class CompiledModel private constructor() : AutoCloseable {
    class Options(vararg accelerators: Accelerator) {
        init {
            signatureOnly()
        }
    }

    fun createInputBuffer(inputName: String, signature: String? = null): TensorBuffer = signatureOnly()

    fun createOutputBuffer(outputName: String, signature: String? = null): TensorBuffer = signatureOnly()

    fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String? = null,
    ): Unit = signatureOnly()

    override fun close(): Unit = signatureOnly()

    companion object {
        @JvmStatic
        fun create(filePath: String, options: Options, optionalEnv: Environment? = null): CompiledModel =
            signatureOnly()
    }
}

/** Memory of one input or output. */
class TensorBuffer private constructor() : AutoCloseable {
    fun writeFloat(data: FloatArray): Unit = signatureOnly()

    fun writeInt8(data: ByteArray): Unit = signatureOnly()

    fun readFloat(): FloatArray = signatureOnly()

    fun readInt8(): ByteArray = signatureOnly()

    override fun close(): Unit = signatureOnly()
}
