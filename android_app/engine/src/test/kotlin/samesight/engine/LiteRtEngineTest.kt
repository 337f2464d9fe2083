package samesight.engine

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel.CpuOptions
import com.google.ai.edge.litert.CompiledModel.GpuOptions
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.FakeLiteRt
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorType
import com.google.ai.edge.litert.TensorType.ElementType
import java.io.File
import kotlin.test.assertContains
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import samesight.contract.ComputeUnit
import samesight.contract.ComputeUnit.CPU
import samesight.contract.ComputeUnit.GPU
import samesight.contract.ComputeUnit.NPU
import samesight.contract.Dtype
import samesight.contract.Proof
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.TensorInfo
import samesight.contract.TensorLayout

class LiteRtEngineTest {
    @TempDir lateinit var folder: File

    private val libraries by lazy { File(folder, "libraries").apply { mkdirs() } }
    private val cache by lazy { File(folder, "cache/gpu") }
    private val made =
        artifact().copy(
            inputLayout = TensorLayout.FLOAT32_NHWC,
            input = TensorInfo("image", null, listOf(1, 1, 2, 3), Dtype.FLOAT32, "nhwc"),
        )

    @BeforeEach
    fun reset() {
        FakeLiteRt.reset()
        FakeLiteRt.run = { _, input -> sums(input) }
    }

    private fun sums(input: FloatArray) = FloatArray(2) { side -> input[3 * side] + input[3 * side + 1] + input[3 * side + 2] }

    private fun withLibrary() = File(libraries, "libLiteRtDispatch_Qualcomm.so").writeText("")

    private fun file(isDispatch: Boolean = false, sha256: String = "0".repeat(64)): ArtifactFile {
        val path = File(folder, "sums-$isDispatch.tflite").apply { writeBytes(tfliteFile(isDispatch)) }
        return ArtifactFile(made, path, sha256)
    }

    private fun opener(gpuCache: File? = cache) = LiteRtOpener(Environment.create(), 3, libraries, gpuCache)

    private fun open(unit: ComputeUnit, mode: Mode = Mode.ALONE, file: ArtifactFile = file()) = opener().open(file, unit, mode)

    private fun refusal(unit: ComputeUnit, mode: Mode = Mode.ALONE, file: ArtifactFile = file()): String {
        val sentence = assertFailsWith<SamesightError> { open(unit, mode, file) }.message
        assertEquals(0, FakeLiteRt.inMemory)
        return sentence
    }

    @Test
    fun `gives the outputs, and its memory back`() {
        open(CPU).use { engine ->
            assertEquals(true to 2L, engine.certain to engine.operations)
            for (case in cases) {
                assertContentEquals(logits(case.tensor), engine.run(case.tensor).getValue(Role.LOGITS).values)
            }
        }
        assertEquals(0, FakeLiteRt.inMemory)
    }

    @Test
    fun `the CPU has its threads`() {
        open(CPU).close()
        val options = FakeLiteRt.options.single()
        assertEquals(setOf(Accelerator.CPU) to CpuOptions(numThreads = 3), options.accelerators to options.cpuOptions)
    }

    @Test
    fun `the NPU is asked for with no other unit, and with the CPU only where that is meant`() {
        withLibrary()
        assertTrue(open(NPU).use { it.certain })
        assertEquals(false, open(NPU, Mode.WITH_CPU).use { it.certain })
        assertEquals(
            listOf(setOf(Accelerator.NPU, Accelerator.NONE), setOf(Accelerator.NPU, Accelerator.CPU)),
            FakeLiteRt.options.map { it.accelerators },
        )
        assertEquals(listOf(null, CpuOptions(numThreads = 3)), FakeLiteRt.options.map { it.cpuOptions })
    }

    @Test
    fun `what was compiled for an NPU is certain to be there, and no other unit is asked`() {
        withLibrary()
        assertTrue(open(NPU, Mode.WITH_CPU, file(isDispatch = true)).use { it.certain })
        FakeLiteRt.options.clear()
        for (unit in listOf(CPU, GPU)) {
            assertContains(refusal(unit, file = file(isDispatch = true)), "was compiled for an NPU, and the $unit cannot run it")
            // In part: its graph has other operations too, and the manifest says what it is for.
            val partly = ArtifactFile(made.copy(unit = NPU), file().path, "0")
            assertContains(refusal(unit, file = partly), "was compiled for an NPU, and the $unit cannot run it")
        }
        assertEquals(emptyList(), FakeLiteRt.options)
    }

    @Test
    fun `what was compiled in part is certain to be on the NPU with the CPU beside it`() {
        withLibrary()
        val partly = file(isDispatch = true).also { it.path.writeBytes(tfliteFile(isDispatch = true, isConvolution = true)) }
        open(NPU, Mode.WITH_CPU, partly).use { assertEquals(true to 2L, it.certain to it.operations) }
        for (unit in listOf(CPU, GPU)) {
            assertContains(refusal(unit, file = partly), "was compiled for an NPU, and the $unit cannot run it")
        }
    }

    @Test
    fun `without a dispatch library the NPU is not asked for, whatever LiteRT lists`() {
        File(libraries, "libQnnHtp.so").writeText("")
        File(libraries, "libLiteRt.so").writeText("")
        for (mode in listOf(Mode.ALONE, Mode.WITH_CPU)) {
            assertContains(refusal(NPU, mode), "(libLiteRtDispatch_*.so) are not in this app")
        }
        assertEquals(emptyList(), FakeLiteRt.options)
        withLibrary()
        FakeLiteRt.accelerators = setOf(Accelerator.CPU)
        assertContains(refusal(NPU), "not among the accelerators that LiteRT finds here: [CPU]")
    }

    @Test
    fun `the GPU keeps its programs, apart for each file and precision`() {
        open(GPU).close()
        open(GPU, Mode.FLOAT32).close()
        open(GPU, file = file(sha256 = "1".repeat(64))).close()
        val options = FakeLiteRt.options.map { checkNotNull(it.gpuOptions) }
        assertEquals(
            listOf(GpuOptions.Precision.DEFAULT, GpuOptions.Precision.FP32, GpuOptions.Precision.DEFAULT),
            options.map { it.precision },
        )
        assertEquals(3, options.map { it.modelCacheKey }.toSet().size)
        assertEquals(setOf(cache.path to true), options.map { it.serializationDir to it.serializeProgramCache }.toSet())
        assertTrue(cache.isDirectory)
        assertEquals(setOf(setOf(Accelerator.GPU)), FakeLiteRt.options.map { it.accelerators }.toSet())
    }

    @Test
    fun `without a folder the GPU keeps nothing`() {
        File(folder, "file").writeText("no folder")
        for (none in listOf(null, File(folder, "file/gpu"))) {
            opener(gpuCache = none).open(file(), GPU).close()
            val options = FakeLiteRt.options.removeLast().gpuOptions
            assertEquals(GpuOptions(precision = GpuOptions.Precision.DEFAULT), options)
        }
    }

    @Test
    fun `a manifest that lies of a type or a shape is one sentence, before anything is read`() {
        val lies =
            mapOf(
                TensorType(ElementType.INT8) to "is INT8 in the file, and FLOAT",
                TensorType(ElementType.INT) to "is INT in the file, and FLOAT",
                TensorType(ElementType.FLOAT, TensorType.Layout(listOf(1, 2, 2))) to "is FLOAT [1, 2, 2] in the file, and FLOAT",
            )
        for ((type, sentence) in lies) {
            FakeLiteRt.outputType = type
            assertContains(refusal(CPU), "output logits $sentence [1, 2] in the manifest")
            FakeLiteRt.outputType = TensorType(ElementType.FLOAT, TensorType.Layout(listOf(1, 2)))
            FakeLiteRt.inputType = type
            assertContains(refusal(CPU), "input image $sentence [1, 1, 2, 3] in the manifest")
            FakeLiteRt.inputType = TensorType(ElementType.FLOAT, TensorType.Layout(listOf(1, 1, 2, 3)))
            open(CPU).close()
        }
        val bytes = made.copy(inputLayout = TensorLayout.INT8_NHWC)
        assertContains(refusal(CPU, file = ArtifactFile(bytes, file().path, "0")), "is FLOAT [1, 1, 2, 3] in the file, and INT8")
    }

    @Test
    fun `LiteRT's words are kept, and faults of its own are sentences`() {
        FakeLiteRt.create = { throw LiteRtException(504, "Failed to compile model") }
        assertContains(refusal(GPU), "LiteRT refuses: Failed to compile model")
        FakeLiteRt.create = { throw LiteRtException(-1, "new in 2.9") }
        assertContains(refusal(GPU), "LiteRT refuses: Unknown status code: -1")
        FakeLiteRt.create = {}
        FakeLiteRt.run = { _, _ -> throw IllegalStateException("The handle has been destroyed.") }
        open(CPU).use { engine ->
            val error = assertFailsWith<SamesightError> { engine.run(cases[0].tensor) }
            assertContains(error.message, "The handle has been destroyed")
        }
    }

    @Test
    fun `a LiteRT that lists an NPU and runs on the CPU does not fool the app`() {
        // As on a phone of 2.2 and later: the NPU is listed, and {NPU, CPU} takes any model.
        var now = 0L
        FakeLiteRt.create = { units ->
            if (units == setOf(Accelerator.NPU)) throw LiteRtException(504, "Some ops are not accelerated")
        }
        FakeLiteRt.run = { units, input ->
            now += if (Accelerator.GPU in units) 2_000_000 else 10_000_000
            sums(input)
        }
        val request = Request(file(), spec, cases)
        val without = place(request, opener()) { now }
        assertEquals(GPU to Proof.CERTAIN, without.chosen.run { unit to proof })
        without.engine.close()
        withLibrary()
        val with = place(request, opener()) { now }
        assertEquals(GPU to Proof.CERTAIN, with.chosen.run { unit to proof })
        assertContains(with.trials.first { it.unit == NPU }.refusal.orEmpty(), "Some ops are not accelerated")
        with.engine.close()
        assertEquals(0, FakeLiteRt.inMemory)
        assertNull(with.trials.first { it.unit == NPU }.times)
        // Without a GPU, what may be the CPU is not preferred to it.
        FakeLiteRt.create = { units ->
            if (Accelerator.CPU !in units) throw LiteRtException(504, "Some ops are not accelerated")
        }
        val cpu = place(request, opener()) { now }
        assertEquals(CPU to Proof.CERTAIN, cpu.chosen.run { unit to proof })
        assertEquals(Proof.REQUESTED, cpu.trials.first { it.unit == NPU }.proof)
        cpu.engine.close()
    }

    @Test
    fun `threads are half of the cores, and four at most`() {
        assertEquals(listOf(1, 1, 2, 3, 4, 4), listOf(1, 2, 4, 6, 8, 16).map(::cpuThreads))
    }
}
