package samesight.contract

/** A raw output: float32 values, flat and row-major, and their shape. */
class Tensor(val shape: List<Int>, val values: FloatArray)
