package org.pytorch.executorch

import java.io.Closeable
import java.nio.FloatBuffer

// ExecuTorch's Kotlin API as of 1.5, as far as the app calls it: names and signatures to compile against, no behaviour.

private fun signatureOnly(): Nothing = throw UnsupportedOperationException("a compile-only signature of ExecuTorch")

/** A loaded program. */
open class Module private constructor() : Closeable {
    open fun forward(vararg inputs: EValue): Array<EValue> = signatureOnly()

    open fun loadMethod(methodName: String): Unit = signatureOnly()

    open fun getMethodMetadata(name: String): MethodMetadata = signatureOnly()

    override fun close(): Unit = signatureOnly()

    companion object {
        const val LOAD_MODE_FILE = 0
        const val LOAD_MODE_MMAP = 1

        @JvmStatic
        @JvmOverloads
        fun load(modelPath: String?, loadMode: Int = LOAD_MODE_FILE, numThreads: Int = 0): Module = signatureOnly()
    }
}

/** What is known of a method; [backends] are its delegates. */
class MethodMetadata private constructor() {
    val backends: Array<String>
        get() = signatureOnly()
}

/** An input or output of a method. */
class EValue private constructor() {
    val isTensor: Boolean
        get() = signatureOnly()

    fun toTensor(): Tensor = signatureOnly()

    companion object {
        @JvmStatic
        fun from(tensor: Tensor): EValue = signatureOnly()
    }
}

/** Numbers and their shape. */
abstract class Tensor internal constructor() {
    open val dataAsFloatArray: FloatArray
        get() = signatureOnly()

    companion object {
        /** [data] is direct and of native byte order; it is read where it is, whenever the tensor is used. */
        @JvmStatic
        fun fromBlob(data: FloatBuffer, shape: LongArray): Tensor = signatureOnly()
    }
}
