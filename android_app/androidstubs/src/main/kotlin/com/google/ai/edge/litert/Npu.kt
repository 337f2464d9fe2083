package com.google.ai.edge.litert

import android.content.Context

// What LiteRT's Kotlin API has on Android alone, as of 2.2 and as far as the app calls it; the rest is in `stubs`,
// which knows no Android. In the library `create` is a member: callers import with a star, which takes either.

/** NPU libraries that are part of the app or of its feature modules. */
@Suppress("UNUSED_PARAMETER")
class BuiltinNpuAcceleratorProvider(context: Context)

/** An environment that finds these libraries, and keeps what it compiles in the app's cache. */
@Suppress("UNUSED_PARAMETER")
fun Environment.Companion.create(
    context: Context,
    npuAcceleratorProvider: BuiltinNpuAcceleratorProvider,
): Environment = throw UnsupportedOperationException("a compile-only signature of LiteRT's API")
