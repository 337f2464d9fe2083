package com.google.ai.edge.litert

import android.content.Context

// What LiteRT's Kotlin API has on Android alone, as of 2.3 and as far as the app calls it; the rest is in `stubs`,
// which knows no Android. In the library `create` is a member: callers import with a star, which takes either.

/** Where an NPU's libraries are. */
interface NpuAcceleratorProvider {
    fun isDeviceSupported(): Boolean

    fun isLibraryReady(): Boolean

    suspend fun downloadLibrary()

    fun getLibraryDir(): String
}

/** NPU libraries that are part of the app or of its feature modules: it says so of every chip, whatever the app has. */
@Suppress("UNUSED_PARAMETER")
class BuiltinNpuAcceleratorProvider(context: Context) : NpuAcceleratorProvider {
    override fun isDeviceSupported(): Boolean = signatureOnly()

    override fun isLibraryReady(): Boolean = signatureOnly()

    override suspend fun downloadLibrary(): Unit = signatureOnly()

    override fun getLibraryDir(): String = signatureOnly()
}

/** An environment that finds these libraries, and keeps what it compiles for an NPU in the app's cache. */
@Suppress("UNUSED_PARAMETER")
fun Environment.Companion.create(
    context: Context,
    npuAcceleratorProvider: NpuAcceleratorProvider,
    options: Map<Environment.Option, String> = mapOf(),
    enableCompilerCache: Boolean = true,
): Environment = signatureOnly()

private fun signatureOnly(): Nothing = throw UnsupportedOperationException("a compile-only signature of LiteRT's API")
