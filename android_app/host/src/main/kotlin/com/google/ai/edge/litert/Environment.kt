package com.google.ai.edge.litert

import com.sun.jna.Pointer
import com.sun.jna.ptr.IntByReference

// The names, arguments, defaults and behaviour of LiteRT's Kotlin API for Android, as far as the app calls it, over the
// real library for this computer.

enum class Accelerator(internal val bit: Int) { NONE(0), CPU(1), GPU(2), NPU(4) }

/** As on Android, the status itself cannot be asked for. */
class LiteRtException(private val status: Int, message: String) : Exception("$message ($status)")

/** Something of the library that is destroyed once. */
abstract class JniHandle internal constructor(private val pointer: Pointer) : AutoCloseable {
    private var destroyed = false

    internal val handle: Pointer
        get() {
            check(!destroyed) { "The instance has been destroyed" }
            return pointer
        }

    protected abstract fun destroy(handle: Pointer)

    override fun close() {
        if (destroyed) return
        destroyed = true
        destroy(pointer)
    }
}

class Environment private constructor(pointer: Pointer) : JniHandle(pointer) {
    fun getAvailableAccelerators(): Set<Accelerator> {
        val count = number("the accelerators") { library.LiteRtGetNumAccelerators(handle, it) }
        return (0 until count).flatMap { index ->
            val accelerator = pointer("accelerator $index") { library.LiteRtGetAccelerator(handle, index, it) }
            val bits = IntByReference()
            check(library.LiteRtGetAcceleratorHardwareSupport(accelerator, bits), "accelerator $index")
            Accelerator.entries.filter { bits.value and it.bit != 0 }
        }.toSet()
    }

    override fun destroy(handle: Pointer) = library.LiteRtDestroyEnvironment(handle)

    companion object {
        @JvmStatic
        @JvmOverloads
        fun create(options: Map<Option, String> = mapOf()): Environment {
            require(options.isEmpty()) { "there are no NPU libraries for this computer" }
            return Environment(pointer("the environment") { library.LiteRtCreateEnvironment(0, null, it) })
        }
    }

    enum class Option { CompilerPluginLibraryDir, DispatchLibraryDir }
}
