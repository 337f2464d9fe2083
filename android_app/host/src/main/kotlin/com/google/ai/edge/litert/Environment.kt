package com.google.ai.edge.litert

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import com.sun.jna.ptr.IntByReference
import java.util.concurrent.atomic.AtomicBoolean

// The names, arguments, defaults and behaviour of LiteRT's Kotlin API for Android, as far as the app calls it, over the
// real library for this computer.

enum class Accelerator(internal val bit: Int) { NONE(0), CPU(1), GPU(2), NPU(4) }

/** As on Android, its text is [message] alone and the status cannot be asked for. */
class LiteRtException private constructor(private val status: Status, message: String) : Exception(message) {
    /** @throws IllegalArgumentException a status that this API does not know, as on Android. */
    constructor(code: Int, message: String) : this(Status.of(code), message)
}

/** The statuses that LiteRT's Kotlin API knows. */
class Status private constructor() {
    internal companion object {
        private val KNOWN =
            listOf(0..11, 500..504, 1000..1003, 1500..1500, 2000..2001, 3000..3001, 4000..4002, 5000..5001)

        fun of(code: Int): Status {
            require(KNOWN.any { code in it }) { "Unknown status code: $code" }
            return Status()
        }
    }
}

/** Something of the library that is destroyed once. */
abstract class JniHandle internal constructor(private val pointer: Pointer) : AutoCloseable {
    private val destroyed = AtomicBoolean(false)

    /** Android does not look where it is an argument, and ends the process. */
    internal val handle: Pointer
        get() {
            assertNotDestroyed()
            return pointer
        }

    /** @throws IllegalStateException it was closed. */
    protected fun assertNotDestroyed() {
        if (destroyed.get()) throw IllegalStateException("The handle has been destroyed.")
    }

    protected abstract fun destroy(handle: Pointer)

    final override fun close() {
        if (destroyed.compareAndSet(false, true)) destroy(pointer)
    }
}

/** [kept] is what the library may still read. */
class Environment private constructor(pointer: Pointer, private val kept: List<Memory>) : JniHandle(pointer) {
    /** The NPU is among them as soon as there is an option DispatchLibraryDir, whatever that folder holds. */
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
        // LiteRtEnvOption: a tag of 32 bits, then from byte 8 on a LiteRtAny: a type of 32 bits, and a pointer.
        private const val OPTION_BYTES = 24L
        private const val STRING = 8

        @JvmStatic
        @JvmOverloads
        fun create(options: Map<Option, String> = mapOf()): Environment {
            val texts = options.values.map { text -> Memory(text.encodeToByteArray().size + 1L).apply { setString(0, text) } }
            val all = if (options.isEmpty()) null else Memory(OPTION_BYTES * options.size).apply { clear() }
            options.keys.forEachIndexed { index, option ->
                all?.setInt(OPTION_BYTES * index, option.tag)
                all?.setInt(OPTION_BYTES * index + 8, STRING)
                all?.setPointer(OPTION_BYTES * index + 8 + Native.POINTER_SIZE, texts[index])
            }
            val made = pointer("the environment") { library.LiteRtCreateEnvironment(options.size, all, it) }
            return Environment(made, texts + listOfNotNull(all))
        }
    }

    enum class Option(internal val tag: Int) { CompilerPluginLibraryDir(0), DispatchLibraryDir(1) }
}
