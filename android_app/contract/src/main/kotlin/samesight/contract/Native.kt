package samesight.contract

private const val LIBRARY = "samesight_resize"

/** The numbers of a [NativeResizer], in the order of `jni.c`. */
private const val NUMBERS = 26
private const val FRAME_NUMBERS = 9
private const val COLOURS = 17

/** `src/main/cpp`: [Resizer] in C, of camera frames. Where the app has no such library, all is done in Kotlin. */
internal object Native {
    val loaded: Boolean = load()

    private fun load(): Boolean =
        try {
            System.loadLibrary(LIBRARY)
            true
        } catch (_: UnsatisfiedLinkError) {
            false
        } catch (_: SecurityException) {
            false
        }

    @JvmStatic
    external fun scratchSize(count: Int, stride: Int, length: Int): Long

    @JvmStatic
    @Suppress("LongParameterList")
    external fun resize(
        y: ByteArray,
        u: ByteArray,
        v: ByteArray,
        numbers: IntArray,
        acrossStarts: IntArray,
        acrossStops: IntArray,
        acrossTaps: IntArray,
        downStarts: IntArray,
        downStops: IntArray,
        downTaps: IntArray,
        scratch: ByteArray,
        tensor: ByteArray,
    )
}

/** Whether camera frames are scaled by the library in C; Kotlin gives the same bytes. */
val nativeLoaded: Boolean
    get() = Native.loaded

/**
 * The work of [resizer] in C: the same bytes.
 *
 * @param rowBytes from one row of the tensor to the next.
 */
internal class NativeResizer private constructor(private val resizer: Resizer, rowBytes: Int, private val scratch: ByteArray) {
    private val across = resizer.across
    private val down = resizer.down
    private val numbers = IntArray(NUMBERS)

    companion object {
        /** Null where there is no library, or the image is so large that its rows are no array. */
        fun of(resizer: Resizer, rowBytes: Int): NativeResizer? {
            if (!Native.loaded) return null
            val size = Native.scratchSize(resizer.across.count, resizer.across.stride, resizer.length)
            return if (size > Int.MAX_VALUE / 2) null else NativeResizer(resizer, rowBytes, ByteArray(size.toInt()))
        }
    }

    init {
        numbers[10] = if (resizer.backwards) 1 else 0
        numbers[11] = resizer.first
        numbers[12] = resizer.length
        numbers[13] = across.count
        numbers[14] = across.stride
        numbers[15] = down.count
        numbers[16] = down.stride
        numbers[23] = resizer.channels.ordinal
        numbers[24] = resizer.origin
        numbers[25] = rowBytes
    }

    /** [frame] was checked. */
    fun run(frame: Yuv420, matrix: Matrix, range: Range, tensor: ByteArray) {
        put(frame.y, 0)
        put(frame.u, 3)
        put(frame.v, 6)
        numbers[FRAME_NUMBERS] = if (resizer.byColumns) frame.width else frame.height
        toRgb(matrix, range).copyInto(numbers, COLOURS)
        numbers[COLOURS + 5] = range.black
        Native.resize(
            frame.y.data,
            frame.u.data,
            frame.v.data,
            numbers,
            across.starts,
            across.stops,
            across.taps,
            down.starts,
            down.stops,
            down.taps,
            scratch,
            tensor,
        )
    }

    private fun put(plane: Plane, at: Int) {
        numbers[at] = plane.offset
        numbers[at + 1] = if (resizer.byColumns) plane.pixelStride else plane.rowStride
        numbers[at + 2] = if (resizer.byColumns) plane.rowStride else plane.pixelStride
    }
}
