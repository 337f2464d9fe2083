package samesight.ui

import samesight.contract.Answer
import samesight.contract.Box
import samesight.contract.ComputeUnit
import samesight.contract.Proof
import samesight.contract.Role
import samesight.contract.Task
import samesight.contract.Times
import samesight.contract.UnitRun
import samesight.engine.Trial

// States as the app would have them. What is seen are golden cases of `samesight demo` with the server model's answers
// as their bundles have them (scene.png: case 028 of scenes, digit.png: case 016 of digits); times are made up.

internal val digits = BundleChoice("digits", Task.CLASSIFICATION, 10, opened = false)
internal val scenes = BundleChoice("scenes", Task.DETECTION, 10, opened = false, threshold = 0.4f)

private fun artifacts(name: String) =
    listOf(
        ArtifactChoice("$name.int8.tflite", "LiteRT", "int8", true),
        ArtifactChoice("$name.fp16.tflite", "LiteRT", "fp16", true),
        ArtifactChoice("$name.int8.pte", "ExecuTorch", "int8", null),
    )

private const val NO_NPU = "the NPU is not among the accelerators that LiteRT finds here: [CPU, GPU]"
private val npu = Trial(ComputeUnit.NPU, refusal = NO_NPU)
private val gpu = Trial(ComputeUnit.GPU, Proof.CERTAIN, Times(212.4, 9.8, 2.31))
private val cpu = Trial(ComputeUnit.CPU, Proof.CERTAIN, Times(8.2, 4.1, 1.42))

private fun latencies(network: Float) =
    List(HISTORY) { Latency(1.1f + 0.4f * (it % 5) / 5, network * (1 + (it * 7 % 13) / 20f), 0.2f + (it % 3) * 0.05f) }

internal val classifying =
    State(
        bundles = listOf(digits, scenes),
        bundle = "digits",
        artifacts = artifacts("digits"),
        artifact = "digits.int8.tflite",
        model = Model.Ready(cpu, listOf(npu, gpu.copy(slower = true), cpu)),
        seen =
            Seen(
                listOf(
                    Answer("3", 3, 0.921f),
                    Answer("7", 7, 0.013f),
                    Answer("0", 0, 0.011f),
                ),
                233,
                320,
            ),
        lens = Lens(switchable = true, torch = true, mostZoom = 8f, aspect = 233f / 320),
        latencies = latencies(1.4f),
    )

internal val detecting =
    State(
        bundles = listOf(digits, scenes),
        bundle = "scenes",
        artifacts = artifacts("scenes"),
        artifact = "scenes.fp16.tflite",
        unit = ComputeUnit.GPU,
        model = Model.Ready(gpu, listOf(gpu, cpu.copy(times = Times(9.0, 6.0, 4.4)))),
        seen =
            Seen(
                listOf(
                    Answer("1", 1, 0.886f, Box(83.87f, 40.14f, 106.19f, 80.25f)),
                    Answer("2", 2, 0.871f, Box(0f, 68.62f, 40.82f, 127.47f)),
                    Answer("5", 5, 0.867f, Box(60.96f, 113.5f, 85.49f, 149.99f)),
                    Answer("1", 1, 0.709f, Box(52.29f, 45.75f, 75.47f, 87.98f)),
                    Answer("7", 7, 0.674f, Box(110.52f, 96.26f, 132.48f, 126.29f)),
                ),
                144,
                200,
            ),
        lens = Lens(switchable = true, torch = true, mostZoom = 8f, aspect = 144f / 200),
        latencies = latencies(2.3f).takeLast(25),
    )

/** What is left of the same answers at 0.7. */
internal val strict =
    detecting.copy(threshold = 0.7f, seen = detecting.seen!!.run { copy(answers = answers.filter { it.score >= 0.7f }) })

internal val paused = detecting.copy(paused = true, still = true)

/** With a bundle from a file. */
internal val opened = classifying.copy(bundles = listOf(digits.copy(opened = true), scenes))

internal val denied = classifying.copy(camera = Camera.Denied, seen = null, latencies = emptyList())

internal val stopped =
    classifying.copy(
        camera = Camera.Failed("another app took the camera; close it, then try again"),
        seen = null,
        latencies = emptyList(),
    )

internal val failing =
    classifying.copy(
        model = Model.Failed("artifact digits.int8.tflite: no unit runs it; NPU: $NO_NPU; GPU: LiteRT refuses"),
        seen = null,
        latencies = emptyList(),
        problem = "photo.heic: is not an image that this phone reads; choose another",
    )

private val NEAR = mapOf(Role.LOGITS to 31.7, Role.BOXES to 26.7)

internal val tested =
    detecting.copy(
        testing = true,
        selfTest =
            SelfTest.Done(
                listOf(
                    UnitRun("scenes.int8.tflite", ComputeUnit.CPU, Proof.CERTAIN, times = Times(8.0, 4.0, 2.2), snrDb = NEAR),
                    UnitRun("scenes.int8.tflite", ComputeUnit.GPU, refusal = "LiteRT refuses: Failed to compile model"),
                    UnitRun(
                        "scenes.int8.tflite",
                        ComputeUnit.NPU,
                        Proof.REQUESTED,
                        times = Times(340.0, 12.0, 0.9),
                        snrDb = NEAR,
                    ),
                    UnitRun(
                        "scenes.fp32.tflite",
                        ComputeUnit.CPU,
                        Proof.CERTAIN,
                        times = Times(9.0, 5.0, 3.1),
                        snrDb = mapOf(Role.LOGITS to 118.0, Role.BOXES to 121.0),
                    ),
                    UnitRun(
                        "scenes.fp32.tflite",
                        ComputeUnit.GPU,
                        Proof.CERTAIN,
                        times = Times(300.0, 9.0, 4.8),
                        slower = true,
                        snrDb = mapOf(Role.LOGITS to 38.2, Role.BOXES to 61.0),
                    ),
                ),
                listOf(true, false, true, true, false),
                listOf("scenes.fp32.tflite on the GPU: output logits has 38.2 dB against the server model, its gate is 40 dB"),
            ),
    )

internal val refused =
    tested.copy(
        selfTest =
            SelfTest.Done(
                listOf(
                    UnitRun("scenes.int8.pte", ComputeUnit.CPU, refusal = "ExecuTorch refuses: error 20"),
                    UnitRun("scenes.int8.pte", ComputeUnit.GPU, refusal = "no delegate of this program runs on the GPU"),
                ),
                listOf(false, false),
                listOf("scenes.int8.pte: no unit runs it; ExecuTorch refuses: error 20"),
            ),
    )
