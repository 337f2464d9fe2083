package samesight.ui

import java.util.Locale
import samesight.contract.Answer
import samesight.contract.ComputeUnit
import samesight.contract.Times
import samesight.contract.UnitRun
import samesight.engine.Trial

// Figures and descriptions as text: what is read aloud is worded here too.

internal fun percent(score: Float): String = "%.0f %%".format(Locale.ROOT, 100 * score)

internal fun milliseconds(value: Double): String =
    if (value < 10) "%.1f ms".format(Locale.ROOT, value) else "%.0f ms".format(Locale.ROOT, value)

internal fun name(unit: ComputeUnit?): String = unit?.name ?: "Best that works"

internal fun name(artifact: ArtifactChoice): String {
    val unit = artifact.unit.name.takeIf { artifact.unit != ComputeUnit.CPU }
    return listOfNotNull(artifact.precision, artifact.runtime, unit).joinToString(" · ")
}

/** Such as `NPU · requested, not proven`. */
internal fun whatRan(trial: Trial): String = listOfNotNull(trial.unit.name, trial.proof?.text).joinToString(" · ")

/** The model in one line. */
internal fun statusLine(model: Model): String =
    when (model) {
        Model.None -> "No model"
        Model.Loading -> "Trying units one by one …"
        Model.Released -> "Memory was low: the model was unloaded"
        is Model.Failed -> "The model does not run"
        is Model.Ready ->
            model.chosen.run {
                listOfNotNull(unit.name, times?.let { milliseconds(it.steady) }, proof?.text).joinToString(" · ")
            }
    }

/** Such as `1.0×`. */
internal fun ratio(zoom: Float): String = "%.1f×".format(Locale.ROOT, zoom)

internal fun figures(trial: Trial): String = (times(trial.times) + trial.notes + trial.delegates).joinToString(" · ")

internal fun figures(run: UnitRun): String {
    val ratio = run.snrDb.values.filterNotNull().minOrNull()
    val ratioText = if (ratio == null) "exact" else "%.0f dB".format(Locale.ROOT, ratio)
    val slower = listOf("slower than the CPU").filter { run.slower }
    return (listOf(ratioText) + slower + times(run.times) + run.delegates).joinToString(" · ")
}

private fun times(times: Times?): List<String> {
    if (times == null) return emptyList()
    val (load, first, steady) = times
    return listOf("${milliseconds(steady)} a run", "first ${milliseconds(first)}", "load ${milliseconds(load)}")
}

internal fun verdict(test: SelfTest.Done): String {
    val ran = test.runs.count { it.refusal == null }
    return when (test.failures.size) {
        0 -> "All $ran runs match the server model"
        1 -> "One failure"
        else -> "${test.failures.size} failures"
    }
}

/** What TalkBack says of the image. */
internal fun description(state: State): String {
    val image =
        when {
            state.source == Source.PHOTO -> "Photo"
            state.paused -> "Paused camera image"
            else -> "Camera image"
        }
    val answers = state.seen?.answers ?: return image
    if (answers.isEmpty()) return "$image: nothing found"
    return listOfNotNull(image, state.taskView?.spoken(answers)).joinToString(": ")
}

internal fun spoken(answer: Answer): String = "${answer.label}, ${percent(answer.score)}"
