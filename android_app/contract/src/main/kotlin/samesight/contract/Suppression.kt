package samesight.contract

/**
 * Greedy class-wise non-maximum suppression.
 *
 * @param boxes [K, 4], best first.
 * @param classes [K]; boxes of different classes never suppress each other.
 * @param count K.
 * @param limit a box whose IoU with a kept, better one of its class is greater goes.
 * @param kept takes the indices of the kept boxes, rising; stops when it is full.
 * @return how many were kept.
 */
fun suppress(boxes: FloatArray, classes: IntArray, count: Int, limit: Float, kept: IntArray): Int {
    var size = 0
    for (index in 0 until count) {
        if (size == kept.size) break
        if (!isSuppressed(boxes, classes, index, limit, kept, size)) kept[size++] = index
    }
    return size
}

private fun isSuppressed(
    boxes: FloatArray,
    classes: IntArray,
    index: Int,
    limit: Float,
    kept: IntArray,
    size: Int,
): Boolean {
    for (i in 0 until size) {
        if (classes[kept[i]] == classes[index] && iou(boxes, 4 * kept[i], 4 * index) > limit) return true
    }
    return false
}

/** Intersection over union of the boxes that begin at [a] and [b]; 0 where the union is empty. */
fun iou(boxes: FloatArray, a: Int, b: Int): Float {
    val width = Math.min(boxes[a + 2], boxes[b + 2]) - Math.max(boxes[a], boxes[b])
    val height = Math.min(boxes[a + 3], boxes[b + 3]) - Math.max(boxes[a + 1], boxes[b + 1])
    // Most boxes lie apart; what is left out gives 0 as well.
    if (!(width > 0f && height > 0f)) return 0f
    val common = width * height
    val union = (area(boxes, a) + area(boxes, b)) - common
    return if (union > 0f) common / union else 0f
}

private fun area(boxes: FloatArray, at: Int) = (boxes[at + 2] - boxes[at]) * (boxes[at + 3] - boxes[at + 1])

/** A number that is smaller for a greater [value], and for a lower [position] where values are equal. */
internal fun sortKey(value: Float, position: Int): Long {
    // The sum makes -0.0 and 0.0 one; of negative floats the bits but the sign run the other way.
    val bits = (value + 0f).toRawBits()
    val rising = if (bits < 0) bits xor Int.MAX_VALUE else bits
    return (rising.inv().toLong() shl 32) or position.toLong()
}

/** Sorts the first [count] keys, rising, in place (heap sort: Java's own allocates for long arrays). */
internal fun sort(keys: LongArray, count: Int) {
    for (root in count / 2 - 1 downTo 0) sink(keys, root, count)
    for (last in count - 1 downTo 1) {
        val greatest = keys[0]
        keys[0] = keys[last]
        keys[last] = greatest
        sink(keys, 0, last)
    }
}

private fun sink(keys: LongArray, from: Int, count: Int) {
    val key = keys[from]
    var root = from
    while (true) {
        var child = 2 * root + 1
        if (child >= count) break
        if (child + 1 < count && keys[child + 1] > keys[child]) child++
        if (keys[child] <= key) break
        keys[root] = keys[child]
        root = child
    }
    keys[root] = key
}
