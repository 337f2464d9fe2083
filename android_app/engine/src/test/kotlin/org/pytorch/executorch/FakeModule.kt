package org.pytorch.executorch

import java.io.Closeable
import java.nio.ByteOrder
import java.nio.FloatBuffer

// A runtime of the signatures that `stubs` names, in their place: programs do what a test tells. It refuses what the
// true one refuses.

open class Module private constructor(private val path: String?) : Closeable {
    private var destroyed = false

    open fun forward(vararg inputs: EValue): Array<EValue> {
        check(!destroyed) { "Module has been destroyed" }
        return Fake.forward(inputs.map { it.toTensor() }).map { EValue.from(it) }.toTypedArray()
    }

    open fun loadMethod(methodName: String) {
        Fake.loadMethod(methodName)
    }

    open fun getMethodMetadata(name: String): MethodMetadata = MethodMetadata(Fake.backends.toTypedArray())

    override fun close() {
        check(!destroyed) { "destroyed twice" }
        destroyed = true
        Fake.inMemory -= path
    }

    companion object {
        const val LOAD_MODE_FILE = 0
        const val LOAD_MODE_MMAP = 1

        @JvmStatic
        @JvmOverloads
        fun load(modelPath: String?, loadMode: Int = LOAD_MODE_FILE, numThreads: Int = 0): Module {
            Fake.load(loadMode, numThreads)
            Fake.inMemory += modelPath
            return Module(modelPath)
        }
    }
}

/** What a test tells the runtime to do, and what it saw. */
object Fake {
    var backends = listOf<String>()
    var forward: (List<Tensor>) -> List<Tensor> = { it }
    var loadMethod: (String) -> Unit = {}
    var load: (Int, Int) -> Unit = { _, _ -> }
    val inMemory = mutableListOf<String?>()
}

class MethodMetadata(val backends: Array<String>)

class EValue private constructor(private val tensor: Tensor) {
    val isTensor: Boolean
        get() = true

    fun toTensor(): Tensor = tensor

    companion object {
        @JvmStatic
        fun from(tensor: Tensor): EValue = EValue(tensor)
    }
}

abstract class Tensor internal constructor(val shape: LongArray) {
    abstract val dataAsFloatArray: FloatArray

    companion object {
        /** As the runtime, it keeps the buffer and no copy. */
        @JvmStatic
        fun fromBlob(data: FloatBuffer, shape: LongArray): Tensor {
            require(data.capacity().toLong() == shape.fold(1L, Long::times)) { "Inconsistent data capacity" }
            require(data.isDirect) { "Data buffer must be direct" }
            require(data.order() == ByteOrder.nativeOrder()) { "Data buffer must have native byte order" }
            return object : Tensor(shape.copyOf()) {
                override val dataAsFloatArray: FloatArray
                    get() = FloatArray(data.capacity()).also { data.duplicate().clear().get(it) }
            }
        }
    }
}
