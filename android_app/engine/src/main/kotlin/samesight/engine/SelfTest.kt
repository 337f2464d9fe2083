package samesight.engine

import samesight.contract.Answer
import samesight.contract.Artifact
import samesight.contract.Bundle
import samesight.contract.CaseRun
import samesight.contract.ComputeUnit
import samesight.contract.Device
import samesight.contract.DeviceParity
import samesight.contract.Geometry
import samesight.contract.GoldenCase
import samesight.contract.ModelSpec
import samesight.contract.Preprocessor
import samesight.contract.Role
import samesight.contract.SamesightError
import samesight.contract.Tensor
import samesight.contract.Times
import samesight.contract.UnitRun
import samesight.contract.Yuv
import samesight.contract.answers
import samesight.contract.label
import samesight.contract.nativeLoaded
import samesight.contract.sha256
import samesight.contract.yuv420FromBytes

/**
 * Runs every golden case of a bundle through the app's own code, as its camera and photos go: contract, engine,
 * contract; every artifact on every unit.
 *
 * @param openers by the format that they take; artifacts of other formats are left out.
 * @param units of which each is asked for by itself; the CPU comes first, for comparison.
 * @param notes as in [place].
 * @param soc this device's chip, as in [otherChip]; artifacts for other chips are left out.
 * @param progress is told the number of finished runs, the number of all, and what runs next.
 * @throws SamesightError the bundle has no golden cases.
 * @throws java.util.concurrent.CancellationException cancelled; nothing stays loaded.
 */
fun selfTest(
    bundle: Bundle,
    openers: Map<String, Opener>,
    device: Device,
    units: List<ComputeUnit> = ComputeUnit.entries,
    cancellation: Cancellation = Cancellation(),
    notes: TrialNotes? = null,
    soc: String? = null,
    progress: (Int, Int, String) -> Unit = { _, _, _ -> },
): DeviceParity {
    val cases = bundle.goldenCases()
    if (cases.isEmpty()) throw SamesightError("${bundle.folder}: has no golden cases; make the bundle anew")
    val artifacts = bundle.manifest.artifacts.filter { it.format in openers && otherChip(it, soc) == null }
    val order = units.sortedBy { it != ComputeUnit.CPU }
    val runs = mutableListOf<UnitRun>()
    for (artifact in artifacts) {
        val request = Request(artifactFile(bundle, artifact), bundle.spec, cases)
        val trials = UnitTrials(request, openers.getValue(artifact.format), cancellation, notes, System::nanoTime)
        var cpu: Times? = null
        for (unit in order) {
            progress(runs.size, artifacts.size * order.size, "${artifact.name} on the ${unit.name}")
            val attempt = trials.tryUnit(unit, cpu)
            val trial = attempt.trial
            if (unit == ComputeUnit.CPU) cpu = trial.times
            runs += attempt.engine?.use { run(it, trial, artifact, bundle.spec, cases, cancellation) }
                ?: refused(trial, artifact)
        }
    }
    progress(runs.size, runs.size, "")
    return DeviceParity(bundle.manifestSha256(), device, runs)
}

private fun refused(trial: Trial, artifact: Artifact) =
    UnitRun(artifact.name, trial.unit, refusal = trial.refusal, delegates = trial.delegates)

private fun run(
    engine: Engine,
    trial: Trial,
    artifact: Artifact,
    spec: ModelSpec,
    cases: List<GoldenCase>,
    cancellation: Cancellation,
): UnitRun =
    try {
        val path = Path(engine, spec)
        val outputs = mutableListOf<Map<Role, Tensor>>()
        val runs =
            cases.flatMap { case ->
                cancellation.check()
                val stored = path.run(case, "rgb") { run(case.picture) }
                outputs += path.outputs
                listOf(stored) + listOfNotNull(case.yuv?.let { path.run(case, it.layout.label) { run(it, case) } })
            }
        val ratios = spec.roles.associateWith { role ->
            decibels(cases.map { it.outputs.getValue(role) }, outputs.map { it.getValue(role) }).takeIf { it.isFinite() }
        }
        UnitRun(
            artifact = artifact.name,
            unit = trial.unit,
            proof = trial.proof,
            delegates = trial.delegates,
            notes = trial.notes,
            times = trial.times,
            slower = trial.slower,
            snrDb = ratios,
            cases = runs,
        )
    } catch (problem: SamesightError) {
        UnitRun(artifact.name, trial.unit, refusal = problem.message, delegates = trial.delegates)
    }

private fun Preprocessor.run(yuv: Yuv, case: GoldenCase): Geometry {
    val frame = yuv420FromBytes(yuv.data, case.picture.width, case.picture.height, yuv.layout)
    return run(frame, yuv.matrix, yuv.range, case.picture.orientation)
}

/** From an image to answers, the one way that an app takes. */
private class Path(private val engine: Engine, private val spec: ModelSpec) {
    private val preprocessor = Preprocessor(spec.input)
    private val reference = if (nativeLoaded) Preprocessor(spec.input, native = false) else null
    var outputs: Map<Role, Tensor> = emptyMap()

    fun run(case: GoldenCase, image: String, prepare: Preprocessor.() -> Geometry): CaseRun {
        val geometry = preprocessor.prepare()
        reference?.prepare()
        if (reference != null && !reference.tensor.contentEquals(preprocessor.tensor)) {
            throw SamesightError(
                "case ${case.id} ($image): the library samesight_resize gives other pixels than Kotlin; build the app " +
                    "without an NDK, and report it",
            )
        }
        outputs = engine.run(preprocessor.tensor)
        val answers: List<Answer> = answers(outputs, spec, geometry)
        return CaseRun(case.id, image, sha256(preprocessor.tensor), answers)
    }
}
