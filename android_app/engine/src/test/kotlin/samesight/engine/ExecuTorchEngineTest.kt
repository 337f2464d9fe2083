package samesight.engine

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.assertContains
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pytorch.executorch.Fake
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import samesight.contract.Artifact
import samesight.contract.ComputeUnit
import samesight.contract.ComputeUnit.CPU
import samesight.contract.ComputeUnit.GPU
import samesight.contract.ComputeUnit.NPU
import samesight.contract.Proof
import samesight.contract.Role
import samesight.contract.SamesightError

private fun tensor(values: FloatArray, vararg shape: Long): Tensor {
    val buffer = ByteBuffer.allocateDirect(4 * values.size).order(ByteOrder.nativeOrder()).asFloatBuffer()
    return Tensor.fromBlob(buffer.put(values), shape)
}

class ExecuTorchEngineTest {
    @TempDir lateinit var folder: File

    private val file by lazy { File(folder, "sums.pte").apply { writeText("program") } }
    private val made = artifact("executorch", delegated = 1.0)

    @BeforeEach
    fun reset() {
        Fake.inMemory.clear()
        Fake.backends = listOf("XnnpackBackend", "XnnpackBackend")
        Fake.loadMethod = {}
        Fake.load = { _, _ -> }
        // Planes of two pixels: the bytes of a pixel are two apart.
        Fake.forward = { (image) ->
            assertContentEquals(longArrayOf(1, 3, 1, 2), image.shape)
            val planes = image.dataAsFloatArray
            val sums = FloatArray(2) { planes[it] + planes[2 + it] + planes[4 + it] }
            listOf(tensor(sums, 1, 2))
        }
    }

    private fun open(artifact: Artifact = made, unit: ComputeUnit = CPU) =
        ExecuTorchOpener().open(ArtifactFile(artifact, file, "0"), unit)

    private fun refusal(artifact: Artifact = made, unit: ComputeUnit = CPU): String {
        val sentence = assertFailsWith<SamesightError> { open(artifact, unit) }.message
        assertEquals(emptyList(), Fake.inMemory)
        return sentence
    }

    @Test
    fun `gives the outputs and names its delegates`() {
        open().use { engine ->
            assertEquals(listOf("XnnpackBackend"), engine.delegates)
            for (case in cases) {
                val output = engine.run(case.tensor).getValue(Role.LOGITS)
                assertEquals(listOf(1, 2), output.shape)
                assertContentEquals(logits(case.tensor), output.values)
            }
        }
        assertEquals(emptyList(), Fake.inMemory)
    }

    @Test
    fun `is placed on the unit of its delegate, which the result names`() {
        Fake.backends = listOf("VulkanBackend")
        var loads = 0
        Fake.load = { _, _ -> loads++ }
        val request = Request(ArtifactFile(made.copy(unit = GPU), file, "0"), spec, cases)
        val placement = place(request, ExecuTorchOpener())
        assertEquals(GPU to Proof.CERTAIN, placement.chosen.unit to placement.chosen.proof)
        assertEquals(listOf("VulkanBackend"), placement.chosen.delegates)
        assertContains(placement.chosen.toString(), "VulkanBackend")
        assertContains(placement.trials.last().refusal.orEmpty(), "exported for the GPU, not for the CPU")
        // For other units it is not loaded: its driver's crash would be theirs.
        assertEquals(1, loads)
        placement.engine.close()
        assertEquals(emptyList(), Fake.inMemory)
    }

    @Test
    fun `a program that is partly on the CPU is not certain to be on its unit`() {
        Fake.backends = listOf("QnnBackend")
        open(artifact("executorch", NPU, delegated = 0.9), NPU).use { assertEquals(false, it.certain) }
        open(artifact("executorch", NPU, delegated = 1.0), NPU).use { assertEquals(true, it.certain) }
    }

    @Test
    fun `is never taken for another unit than its delegates`() {
        assertContains(refusal(unit = NPU), "exported for the CPU, not for the NPU")
        val forNpu = artifact("executorch", NPU)
        assertContains(refusal(forNpu, NPU), "exported for CPU (delegates: XnnpackBackend), not for the NPU")
        Fake.backends = listOf("XnnpackBackend", "QnnBackend")
        assertContains(refusal(forNpu, NPU), "XnnpackBackend, QnnBackend")
        Fake.backends = emptyList()
        assertContains(refusal(forNpu, NPU), "delegates: none")
    }

    @Test
    fun `the runtime's words are kept`() {
        Fake.load = { _, _ -> throw IllegalStateException("[ExecuTorch Error 0x23] Invalid program: damaged") }
        assertContains(refusal(), "Invalid program: damaged")
        Fake.load = { _, _ -> }
        Fake.loadMethod = { throw IllegalStateException("[ExecuTorch Error 0x14] Operator missing: $it") }
        assertContains(refusal(), "Operator missing: forward")
        Fake.loadMethod = {}
        Fake.forward = { throw IllegalStateException("[ExecuTorch Error 0x31] Delegate memory") }
        open().use { engine ->
            val error = assertFailsWith<SamesightError> { engine.run(cases[0].tensor) }
            assertContains(error.message, "Delegate memory")
        }
    }

    @Test
    fun `memory that ends while loading leaves nothing behind`() {
        Fake.loadMethod = { throw OutOfMemoryError("weights") }
        assertFailsWith<OutOfMemoryError> { open() }
        assertEquals(emptyList(), Fake.inMemory)
    }

    @Test
    fun `another bundle's program is refused`() {
        assertContains(refusal(artifact("litert")), "is of format litert")
        Fake.forward = { listOf(tensor(FloatArray(3), 1, 3)) }
        open().use { engine ->
            val error = assertFailsWith<SamesightError> { engine.run(cases[0].tensor) }
            assertContains(error.message, "output logits has 3 values")
        }
        Fake.forward = { it + it }
        open().use { engine ->
            assertContains(assertFailsWith<SamesightError> { engine.run(cases[0].tensor) }.message, "returned 2 values")
            assertContains(assertFailsWith<SamesightError> { engine.run(ByteArray(5)) }.message, "takes 6 values, not 5")
        }
    }

    @Test
    fun `closes once and does not run after`() {
        val engine = open()
        engine.close()
        engine.close()
        assertContains(assertFailsWith<SamesightError> { engine.run(cases[0].tensor) }.message, "was closed")
    }

    @Test
    fun `maps the file, and passes the number of threads on`() {
        var told = 0 to 0
        Fake.load = { mode, threads -> told = mode to threads }
        ExecuTorchOpener(threads = 3).open(ArtifactFile(made, file, "0"), CPU).close()
        assertEquals(Module.LOAD_MODE_MMAP to 3, told)
    }

    @Test
    fun `every run's input is the same memory`() {
        val inputs = mutableListOf<Tensor>()
        val forward = Fake.forward
        Fake.forward = { given -> forward(given).also { inputs += given } }
        open().use { engine -> cases.forEach { engine.run(it.tensor) } }
        assertEquals(cases.size to 1, inputs.size to inputs.distinct().size)
    }
}
