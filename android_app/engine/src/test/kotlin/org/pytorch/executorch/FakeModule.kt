package org.pytorch.executorch

import java.io.Closeable

// A runtime of the signatures that `stubs` names, in their place: programs do what a test tells.

open class Module private constructor(private val path: String?) : Closeable {
    private var destroyed = false

    open fun forward(vararg inputs: EValue): Array<EValue> {
        check(!destroyed) { "Module has been destroyed" }
        return Fake.forward(inputs.map { it.toTensor() }).map { EValue.from(it) }.toTypedArray()
    }

    open fun loadMethod(methodName: String) {
        Fake.loadMethod(methodName)
    }

    open fun getMethodMetadata(name: String) = MethodMetadata(Fake.backends.toTypedArray())

    override fun close() {
        check(!destroyed) { "destroyed twice" }
        destroyed = true
        Fake.inMemory -= path
    }

    companion object {
        const val LOAD_MODE_FILE = 0

        @JvmStatic
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
    fun isTensor(): Boolean = true

    fun toTensor(): Tensor = tensor

    companion object {
        @JvmStatic
        fun from(tensor: Tensor): EValue = EValue(tensor)
    }
}

abstract class Tensor internal constructor(val shape: LongArray) {
    abstract val dataAsFloatArray: FloatArray

    companion object {
        @JvmStatic
        fun fromBlob(data: FloatArray, shape: LongArray): Tensor {
            require(data.size.toLong() == shape.fold(1L, Long::times)) { "Inconsistent data capacity" }
            val copy = data.copyOf()
            return object : Tensor(shape.copyOf()) {
                override val dataAsFloatArray: FloatArray
                    get() = copy.copyOf()
            }
        }
    }
}
