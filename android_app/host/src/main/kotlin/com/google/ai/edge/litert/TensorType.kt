package com.google.ai.edge.litert

import com.sun.jna.Pointer

private const val INT32 = 2
internal const val FLOAT32 = 1
internal const val INT64 = 4
private const val BOOL = 6
internal const val INT8 = 9
private const val UNSUPPORTED = 5

// Of a ranked tensor type: the element type, then the layout, whose first 7 bits are the rank, then its sides.
private const val RANK = 4L
private const val RANK_BITS = 0x7f
private const val SIDES = 8L

/** The type of a tensor. */
data class TensorType(val elementType: ElementType, val layout: Layout? = null) {
    enum class ElementType { INT, FLOAT, INT8, BOOLEAN, INT64 }

    data class Layout(val dimensions: List<Int>, val strides: List<Int> = listOf())
}

/** @throws LiteRtException an element type that LiteRT's Kotlin API has not. */
internal fun tensorType(type: Pointer): TensorType {
    val element =
        when (type.getInt(0)) {
            INT32 -> TensorType.ElementType.INT
            FLOAT32 -> TensorType.ElementType.FLOAT
            INT8 -> TensorType.ElementType.INT8
            BOOL -> TensorType.ElementType.BOOLEAN
            INT64 -> TensorType.ElementType.INT64
            else -> throw LiteRtException(UNSUPPORTED, "Unsupported element type in Kotlin")
        }
    val rank = type.getInt(RANK) and RANK_BITS
    return TensorType(element, TensorType.Layout(List(rank) { type.getInt(SIDES + 4L * it) }))
}
