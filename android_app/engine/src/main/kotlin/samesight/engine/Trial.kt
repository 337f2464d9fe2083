package samesight.engine

import java.util.Locale
import samesight.contract.ComputeUnit
import samesight.contract.Proof
import samesight.contract.Times

/**
 * What came of one unit: refused, or figures.
 *
 * @property proof null where refused.
 * @property times null where refused.
 * @property slower slower than the CPU, whose time is known, by more than a tenth.
 * @property refusal the runtime's words, or what was wrong with its outputs; null where it works.
 * @property mode how it was asked for at last.
 * @property notes what else is to be said of it, such as that float16 was too coarse.
 */
data class Trial(
    val unit: ComputeUnit,
    val proof: Proof? = null,
    val times: Times? = null,
    val slower: Boolean = false,
    val delegates: List<String> = emptyList(),
    val refusal: String? = null,
    val mode: Mode = Mode.ALONE,
    val notes: List<String> = emptyList(),
) {
    /** One line for people. */
    override fun toString(): String {
        if (times == null) return "$unit: refused: $refusal"
        val (load, first, steady) = times
        val figures = "%.2f ms a run, first %.2f ms, load %.1f ms".format(Locale.ROOT, steady, first, load)
        val remarks = listOfNotNull(proof?.text, "slower than the CPU".takeIf { slower }) + notes + delegates
        return "$unit: $figures (${remarks.joinToString()})"
    }
}
