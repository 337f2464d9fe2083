package samesight.contract

/** Unicode's categories Cc, Zl, Zp and Cs: control characters, line and paragraph separators, half surrogate pairs. */
private val UNPRINTABLE =
    setOf(Character.CONTROL, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SURROGATE).map { it.toInt() }

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
        if (types.any { it in UNPRINTABLE }) return "label $index holds a line break or another control character"
        if (types.all { it == Character.SPACE_SEPARATOR.toInt() }) return "label $index is blank"
        seen.put(label, index)?.let { return "labels $it and $index are the same" }
    }
    return null
}
