package com.google.ai.edge.litert

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.NativeLibrary
import com.sun.jna.Pointer
import com.sun.jna.ptr.IntByReference
import com.sun.jna.ptr.LongByReference
import com.sun.jna.ptr.PointerByReference

// LiteRT's C API as of 2.3: other versions have other arguments. A size_t is a Kotlin Long.
@Suppress("FunctionName")
internal interface Library : com.sun.jna.Library {
    fun LiteRtCreateEnvironment(count: Int, options: Pointer?, environment: PointerByReference): Int

    fun LiteRtDestroyEnvironment(environment: Pointer)

    fun LiteRtGetNumAccelerators(environment: Pointer, count: LongByReference): Int

    fun LiteRtGetAccelerator(environment: Pointer, index: Long, accelerator: PointerByReference): Int

    fun LiteRtGetAcceleratorHardwareSupport(accelerator: Pointer, bits: IntByReference): Int

    fun LiteRtCreateModelFromFile(environment: Pointer, path: String, model: PointerByReference): Int

    fun LiteRtDestroyModel(model: Pointer)

    fun LiteRtCreateOptions(options: PointerByReference): Int

    fun LiteRtSetOptionsHardwareAccelerators(options: Pointer, bits: Int): Int

    fun LiteRtDestroyOptions(options: Pointer)

    fun LiteRtCreateOpaqueOptions(
        identifier: String,
        payload: Pointer,
        destructor: Pointer,
        options: PointerByReference,
    ): Int

    fun LiteRtAddOpaqueOptions(options: Pointer, opaque: Pointer): Int

    fun LiteRtCreateCompiledModel(
        environment: Pointer,
        model: Pointer,
        options: Pointer,
        compiled: PointerByReference,
    ): Int

    fun LiteRtDestroyCompiledModel(compiled: Pointer)

    fun LiteRtRunCompiledModel(
        compiled: Pointer,
        signature: Long,
        inputCount: Long,
        inputs: Pointer,
        outputCount: Long,
        outputs: Pointer,
    ): Int

    fun LiteRtGetNumModelSignatures(model: Pointer, count: LongByReference): Int

    fun LiteRtGetModelSignature(model: Pointer, index: Long, signature: PointerByReference): Int

    fun LiteRtGetSignatureKey(signature: Pointer, key: PointerByReference): Int

    fun LiteRtGetNumSignatureInputs(signature: Pointer, count: LongByReference): Int

    fun LiteRtGetNumSignatureOutputs(signature: Pointer, count: LongByReference): Int

    fun LiteRtGetSignatureInputName(signature: Pointer, index: Long, name: PointerByReference): Int

    fun LiteRtGetSignatureOutputName(signature: Pointer, index: Long, name: PointerByReference): Int

    fun LiteRtGetSignatureInputTensorByIndex(signature: Pointer, index: Long, tensor: PointerByReference): Int

    fun LiteRtGetSignatureOutputTensorByIndex(signature: Pointer, index: Long, tensor: PointerByReference): Int

    fun LiteRtGetRankedTensorType(tensor: Pointer, type: Pointer): Int

    fun LiteRtGetCompiledModelInputBufferRequirements(
        compiled: Pointer,
        signature: Long,
        index: Long,
        requirements: PointerByReference,
    ): Int

    fun LiteRtGetCompiledModelOutputBufferRequirements(
        compiled: Pointer,
        signature: Long,
        index: Long,
        requirements: PointerByReference,
    ): Int

    fun LiteRtCreateManagedTensorBufferFromRequirements(
        environment: Pointer,
        type: Pointer,
        requirements: Pointer,
        buffer: PointerByReference,
    ): Int

    fun LiteRtGetTensorBufferPackedSize(buffer: Pointer, bytes: LongByReference): Int

    fun LiteRtLockTensorBuffer(buffer: Pointer, address: PointerByReference, mode: Int): Int

    fun LiteRtUnlockTensorBuffer(buffer: Pointer): Int

    fun LiteRtDestroyTensorBuffer(buffer: Pointer)
}

/** The element type, then a layout of rank, flags, dimensions and strides. */
internal const val TENSOR_TYPE_BYTES = 72L

internal val library: Library by lazy { Native.load("LiteRt", Library::class.java) }

/** C's own memory, for what the library frees. */
internal interface CMemory : com.sun.jna.Library {
    fun strdup(text: String): Pointer
}

internal val memory: CMemory by lazy { Native.load("c", CMemory::class.java) }

internal val free: Pointer by lazy { NativeLibrary.getInstance("c").getFunction("free") }

/** @throws LiteRtException [status] is not 0. */
internal fun check(status: Int, what: String) {
    if (status != 0) throw LiteRtException(status, what)
}

/** What [call] writes into the reference that it gets. */
internal fun pointer(what: String, call: (PointerByReference) -> Int): Pointer {
    val reference = PointerByReference()
    check(call(reference), what)
    return reference.value
}

/** As [pointer]. */
internal fun number(what: String, call: (LongByReference) -> Int): Long {
    val reference = LongByReference()
    check(call(reference), what)
    return reference.value
}

/** An array of handles; at least one long, for JNA makes no empty memory. */
internal fun handles(all: List<Pointer>): Memory {
    val memory = Memory(maxOf(1, all.size) * Native.POINTER_SIZE.toLong())
    all.forEachIndexed { index, handle -> memory.setPointer(index * Native.POINTER_SIZE.toLong(), handle) }
    return memory
}
