package samesight.contract

import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.ln

/** What makes scores of logits. */
enum class Activation { NONE, SOFTMAX, SIGMOID }

private const val LOG2_E = 1.44269504088896338700

// ln 2 in two parts; the first ends in zeros, so that k * LN2_HIGH is exact (fdlibm's e_exp.c).
private const val LN2_HIGH = 6.93147180369123816490e-01
private const val LN2_LOW = 1.90821492927058770002e-10
private const val UNDERFLOW = -700.0
private val TAYLOR = DoubleArray(14) { n -> 1.0 / (1..n).fold(1L) { product, factor -> product * factor } }

/**
 * The exponential of [x] for x <= 5, within 2 units in the last place; 0 below -700.
 *
 * Only additions, multiplications and a power of two, none of them fused: a library's exp differs by a bit from system
 * to system, and with it a score, an order or an answer.
 */
fun exp(x: Double): Double {
    if (x < UNDERFLOW) return 0.0
    val k = floor(x * LOG2_E + 0.5)
    val r = (x - k * LN2_HIGH) - k * LN2_LOW
    var power = TAYLOR[13]
    for (n in 12 downTo 0) power = power * r + TAYLOR[n]
    return Math.scalb(power, k.toInt())
}

/** 1 / (1 + exp(-x)), computed as e / (1 + e) with e = exp(x) for negative x. */
fun sigmoid(logit: Float): Float {
    val e = exp(-abs(logit.toDouble()))
    return ((if (logit < 0f) e else 1.0) / (1.0 + e)).toFloat()
}

/**
 * One score of exp(x - greatest) / sum over [classes] logits, the sum taken from the first class to the last.
 *
 * @param logits finite; the row begins at [from].
 * @param index of the class whose score is asked for, 0 until [classes].
 */
fun softmax(logits: FloatArray, from: Int, classes: Int, index: Int): Float {
    var greatest = logits[from]
    for (i in from + 1 until from + classes) if (logits[i] > greatest) greatest = logits[i]
    var total = 0.0
    for (i in from until from + classes) total += exp(logits[i].toDouble() - greatest.toDouble())
    return (exp(logits[from + index].toDouble() - greatest.toDouble()) / total).toFloat()
}

/** The score of class [index] in the row of [classes] logits that begins at [from]. */
fun activate(logits: FloatArray, from: Int, classes: Int, index: Int, activation: Activation): Float =
    when (activation) {
        Activation.NONE -> logits[from + index]
        Activation.SOFTMAX -> softmax(logits, from, classes, index)
        Activation.SIGMOID -> sigmoid(logits[from + index])
    }

/**
 * The least raw value whose candidate is kept for a score threshold in 0..1.
 *
 * Under sigmoid float32(log(t / (1 - t))), -inf for 0 and inf for 1; else float32(t).
 */
fun rawThreshold(score: Double, activation: Activation): Float =
    when {
        activation != Activation.SIGMOID -> score.toFloat()
        score == 0.0 -> Float.NEGATIVE_INFINITY
        score == 1.0 -> Float.POSITIVE_INFINITY
        else -> ln(score / (1.0 - score)).toFloat()
    }
