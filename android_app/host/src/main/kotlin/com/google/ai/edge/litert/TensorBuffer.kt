package com.google.ai.edge.litert

import com.sun.jna.Pointer

private const val READ = 0
private const val WRITE = 1
private const val INVALID_ARGUMENT = 1

/** As on Android, but that a wrong element type or size is refused here: there it reads or leaves other memory. */
class TensorBuffer internal constructor(pointer: Pointer, private val type: Int) : JniHandle(pointer) {
    fun writeFloat(data: FloatArray) = write(FLOAT32, 4L * data.size) { it.write(0, data, 0, data.size) }

    fun writeInt8(data: ByteArray) = write(INT8, data.size.toLong()) { it.write(0, data, 0, data.size) }

    fun readFloat(): FloatArray = read(FLOAT32) { memory, bytes -> memory.getFloatArray(0, bytes / 4) }

    fun readInt8(): ByteArray = read(INT8) { memory, bytes -> memory.getByteArray(0, bytes) }

    private fun write(element: Int, bytes: Long, act: (Pointer) -> Unit) {
        require(element)
        if (bytes != bytes()) throw LiteRtException(INVALID_ARGUMENT, "the buffer has ${bytes()} bytes, not $bytes")
        locked(WRITE, act)
    }

    private fun <T> read(element: Int, act: (Pointer, Int) -> T): T {
        require(element)
        return locked(READ) { act(it, bytes().toInt()) }
    }

    private fun require(element: Int) {
        assertNotDestroyed()
        if (element != type) throw LiteRtException(INVALID_ARGUMENT, "the buffer has element type $type, not $element")
    }

    private fun bytes() = number("its size") { library.LiteRtGetTensorBufferPackedSize(handle, it) }

    private fun <T> locked(mode: Int, act: (Pointer) -> T): T {
        val memory = pointer("its memory") { library.LiteRtLockTensorBuffer(handle, it, mode) }
        try {
            return act(memory)
        } finally {
            check(library.LiteRtUnlockTensorBuffer(handle), "its memory")
        }
    }

    override fun destroy(handle: Pointer) = library.LiteRtDestroyTensorBuffer(handle)
}
