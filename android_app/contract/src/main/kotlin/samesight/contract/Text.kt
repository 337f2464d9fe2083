package samesight.contract

/** Unicode's categories Cc, Zl, Zp and Cs: control characters, line and paragraph separators, half surrogate pairs. */
private val UNPRINTABLE =
    setOf(Character.CONTROL, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SURROGATE).map { it.toInt() }

/** Whether a text holds a control character, a separator of lines or paragraphs, or half of a surrogate pair. */
internal fun isUnprintable(text: String): Boolean = text.codePoints().anyMatch { Character.getType(it) in UNPRINTABLE }

/** Text of files inside a sentence: unprintable characters, line breaks too, become `\\x1b` or `\\u2028`. */
internal fun oneLine(text: String): String =
    buildString {
        text.codePoints().forEach {
            when {
                Character.getType(it) !in UNPRINTABLE -> appendCodePoint(it)
                it == '\n'.code -> append("\\n")
                it == '\r'.code -> append("\\r")
                it == '\t'.code -> append("\\t")
                it < 256 -> append("\\x%02x".format(it))
                else -> append("\\u%04x".format(it))
            }
        }
    }

/**
 * What makes labels useless as names of classes, in words; null if nothing does.
 *
 * Labels stand one a line in files inside artifacts, and answers are told apart by them. So each has a character that is
 * no space (category Zs), none that is unprintable, and no two are the same.
 */
internal fun labelProblem(labels: List<String>): String? {
    val seen = HashMap<String, Int>()
    for ((index, label) in labels.withIndex()) {
        val types = label.codePoints().map(Character::getType).toArray()
        if (isUnprintable(label)) return "label $index holds a line break or another control character"
        if (types.all { it == Character.SPACE_SEPARATOR.toInt() }) return "label $index is blank"
        seen.put(label, index)?.let { return "labels $it and $index are the same" }
    }
    return null
}
