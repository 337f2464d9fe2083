"""The sabotage suite: how often the diagnosis names a fault that was put into an app, and how often it sees none.

    python -m samesight.conversion.parity.sabotage demo/digits demo/scenes

It prints the tables of docs/diagnosis.md. In each trial an app of its own (`sabotaged_app.py`) with one fault answers
some of a bundle's golden images, its network's outputs a little noisy. In a clean trial the app is right, and another
file of the same precision answers, with as much noise as the gates allow.
"""

import argparse
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from samesight.contract.answers import Answer
from samesight.contract.bundle import Bundle, open_bundle
from samesight.contract.golden import FOLDER
from samesight.contract.manifest import Unit
from samesight.contract.spec import ModelSpec, Role
from samesight.contract.tasks import TASKS
from samesight.conversion.parity.causes import Cause
from samesight.conversion.parity.diagnose import Judged, judge_answers, load_network, noise_db
from samesight.conversion.parity.given_answers import read_answers
from samesight.conversion.parity.hypotheses import Hypotheses, Question, picture_case
from samesight.conversion.parity.sabotaged_app import App, Array, Row
from samesight.conversion.parity.sabotages import SABOTAGES, Sabotage, rounded
from samesight.conversion.qparams import Float32
from samesight.conversion.tasks.decoding_faults import decoded
from samesight.conversion.tasks.interface import Answers

FEWEST = 12
"""Images of a trial, at least."""
DIGITS = (None, 4, 3)
"""How scores are rounded, in turn."""
QUIET_DB = 90.0
"""Noise on the outputs of an app with a fault: another CPU's float32."""
GPU_DB = (42.0, 60.0)
"""Noise on the outputs of a right app on a GPU, above the gate of 40 dB."""
CPU_DB = (82.0, 110.0)
"""Noise on those of a right app on a CPU, above the gate of 80 dB."""
SLIPS = 0.3
"""The share of int8 values that another runtime rounds to the next step."""
STALE = 0.12
"""Noise on the weights of the stale model, in standard deviations of each tensor."""
BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class Trial:
    """One app that was judged. `named` is whether the first cause is the fault, or one that gives the same answers."""

    model: str
    kind: str
    judged: Judged
    named: bool

    @property
    def first(self) -> Cause | None:
        """The likeliest cause, if something is wrong."""
        return self.judged.causes[0] if self.judged.causes and not self.judged.passed else None


class Subject:
    """A bundle, its golden images, and what every hypothesis makes of them with one artifact."""

    def __init__(self, folder: Path, name: str) -> None:
        self.bundle = open_bundle(folder)
        self.spec = self.bundle.spec
        self.artifact = self.bundle.find(f"{self.spec.name}.{name}")
        _, network, qparams = load_network(self.bundle, self.artifact)
        golden = self.bundle.golden_cases()
        self.paths = [folder / FOLDER / f"{case.id}.png" for case in golden]
        cases = [picture_case(case.picture, self.spec, network, number) for number, case in enumerate(golden)]
        self.hypotheses = Hypotheses(Question(self.spec, cases, network, qparams=qparams))
        for fault in self.hypotheses.before():
            self.hypotheses.variants(fault)

    def judged(self, chosen: Sequence[int], given: Answers, unit: Unit = "cpu") -> Judged:
        """The diagnosis of answers to the chosen images."""
        return judge_answers(self.hypotheses.only(chosen), given, noise_db(self.artifact, unit))


def onnx_network(bundle: Bundle, stale: bool = False) -> Callable[[Array], dict[str, Array]]:
    """The bundle's fp32 ONNX file; with other weights it stands for an older training of the same network."""
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    model = onnx.load(bundle.path(bundle.find(f"{bundle.spec.name}.fp32.onnx")))
    generator = np.random.default_rng(7)
    for tensor in model.graph.initializer if stale else ():
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 64:
            other = values + generator.normal(0, STALE * values.std(), values.shape)
            tensor.CopyFrom(numpy_helper.from_array(other.astype(np.float32), tensor.name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda tensor: dict(zip(names, session.run(names, {"image": tensor}), strict=True))


def integer_network(bundle: Bundle) -> Callable[[Array], dict[str, Array]]:
    """The bundle's int8 TFLite file; its outputs as they are stored."""
    from ai_edge_litert.interpreter import Interpreter

    path = bundle.path(bundle.find(f"{bundle.spec.name}.int8.tflite"))
    call: Any = Interpreter(model_path=str(path), num_threads=1).get_signature_runner("serving_default")

    def run(tensor: Array) -> dict[str, Array]:
        levels = np.clip(np.round(tensor.transpose(0, 2, 3, 1)), 0, 255) - 128
        return {name: values.astype(np.float32) for name, values in call(image=levels.astype(np.int8)).items()}

    return run


def noisy(
    run: Callable[[Array], dict[str, Array]], generator: np.random.Generator, db: float
) -> Callable[[Array], dict[str, Array]]:
    """A network with noise on its outputs, at a ratio to their own energy."""

    def disturbed(tensor: Array) -> dict[str, Array]:
        return {
            name: values + generator.normal(0, values.std() * 10 ** (-db / 20), values.shape)
            for name, values in run(tensor).items()
        }

    return disturbed


def fits(sabotage: Sabotage, spec: ModelSpec) -> bool:
    """Whether a model of this kind can have the fault."""
    return sabotage.boxes in (None, TASKS[spec.task].has_boxes)


def sabotage_trials(folder: Path, trials: int, seed: int = 0, kinds: Collection[str] | None = None) -> Iterator[Trial]:
    """Every fault that the bundle's model can have (or those of `kinds`), `trials` times, on other images each time."""
    floats, integers = Subject(folder, "fp32.onnx"), Subject(folder, "int8.tflite")
    model: Row = floats.spec.model_dump(mode="json")
    networks = {"": onnx_network(floats.bundle), "stale": onnx_network(floats.bundle, stale=True)}
    networks["integers"] = integer_network(floats.bundle)
    generator = np.random.default_rng(seed)
    for sabotage in SABOTAGES:
        if not fits(sabotage, floats.spec) or (kinds is not None and sabotage.kind not in kinds):
            continue
        subject = integers if sabotage.network == "integers" else floats
        run = networks[sabotage.network]
        if sabotage.network != "integers":
            run = noisy(run, generator, QUIET_DB)
        app = App(run, model, **sabotage.change(model))
        for number in range(trials):
            chosen = _some(generator, len(subject.paths))
            digits = DIGITS[number % len(DIGITS)]
            rows = {subject.paths[n].name: app(subject.paths[n]) for n in chosen}
            if digits is not None:
                rows = {name: rounded(answers, digits) for name, answers in rows.items()}
            given = read_answers(Path("answers.json"), rows, folder / FOLDER, subject.spec)
            judged = subject.judged(chosen, [image.answers for image in given])
            yield Trial(subject.spec.name, sabotage.kind, judged, is_named(sabotage, judged))


def is_named(sabotage: Sabotage, judged: Judged) -> bool:
    """Whether the first cause is the fault, or one that cannot be told from it on these images."""
    if judged.passed or not judged.causes:
        return False
    first = judged.causes[0]
    return any(name.startswith(sabotage.called) for name in (first.name, *first.alike))


CleanApp = tuple[str, str, Unit, tuple[float, float] | None]
CLEAN: tuple[CleanApp, ...] = (
    ("fp32.onnx", "fp32.tflite", "cpu", CPU_DB),
    ("fp32.tflite", "fp32.onnx", "gpu", GPU_DB),
    ("fp16.tflite", "fp16.tflite", "gpu", GPU_DB),
    ("int8.tflite", "int8.onnx", "cpu", None),
    ("int8.onnx", "int8.tflite", "npu", None),
)
"""The artifact, what answers in its place, on which unit, and with how much noise; None: slips of a step."""


def clean_trials(folder: Path, trials: int, seed: int = 1, rows: Sequence[CleanApp] = CLEAN) -> Iterator[Trial]:
    """Right apps of these rows in turn, `trials` times in all."""
    generator = np.random.default_rng(seed)
    for number, (name, other, unit, db) in enumerate(rows):
        subject = Subject(folder, name)
        artifact = subject.bundle.find(f"{subject.spec.name}.{other}")
        _, network, qparams = load_network(subject.bundle, artifact)
        cases = subject.hypotheses.question.cases
        answered = [picture_case(case.picture, subject.spec, network) for case in cases]
        for turn in range(number, trials, len(rows)):
            chosen = _some(generator, len(cases))
            level = generator.uniform(*db) if db else 0.0
            given = []
            for n in chosen:
                outputs: dict[Role, Float32] = {}
                for role, values in answered[n].outputs.items():
                    if role in qparams:
                        slips = generator.random(values.shape) < SLIPS
                        added = slips * generator.choice((-1.0, 1.0), values.shape) * qparams[role].scale
                    else:
                        added = generator.normal(0, values.std() * 10 ** (-level / 20), values.shape)
                    outputs[role] = (values + added).astype(np.float32)
                given.append(decoded(cases[n], subject.spec, outputs))
            digits = DIGITS[turn % len(DIGITS)]
            if digits is not None:
                given = [[_rounded(answer, digits) for answer in image] for image in given]
            yield Trial(subject.spec.name, "nothing", subject.judged(chosen, given, unit), False)


def _rounded(answer: Answer, digits: int) -> Answer:
    return replace(answer, score=round(answer.score, digits))


def _some(generator: np.random.Generator, count: int) -> list[int]:
    size = int(generator.integers(min(FEWEST, count), count + 1))
    return sorted(generator.choice(count, size, replace=False).tolist())


def confusion(trials: Sequence[Trial]) -> list[str]:
    """Rows of a Markdown table: per fault how often it was caught, named first, and what was named in its place."""
    lines = ["| fault in the app | trials | caught | named first | named in its place |", "|---|---|---|---|---|"]
    kinds = list(dict.fromkeys(trial.kind for trial in trials))
    for kind in kinds:
        of_kind = [trial for trial in trials if trial.kind == kind]
        caught, right = sum(not t.judged.passed for t in of_kind), sum(t.named for t in of_kind)
        others = Counter(t.first.name for t in of_kind if t.first and not t.named)
        words = "; ".join(f"{name} ({count})" for name, count in others.most_common(2))
        lines.append(f"| {kind} | {len(of_kind)} | {caught} | {right} | {words} |")
    caught, right = sum(not trial.judged.passed for trial in trials), sum(trial.named for trial in trials)
    lines.append(
        f"| **{len(kinds)} faults** | {len(trials)} | {caught} ({caught / len(trials):.1%}) | "
        f"{right} ({right / len(trials):.1%}) | |"
    )
    return lines


def calibration(trials: Sequence[Trial]) -> list[str]:
    """Rows of a Markdown table: how often the first cause was right, by its confidence."""
    lines = ["| confidence of the first | trials | mean confidence | right |", "|---|---|---|---|"]
    told = [(trial.first.confidence, trial.named) for trial in trials if trial.first]
    for low, high in itertools.pairwise(BINS):
        inside = [(sure, right) for sure, right in told if low <= sure < high or high == sure == 1.0]
        if inside:
            mean, share = np.mean([sure for sure, _ in inside]), np.mean([right for _, right in inside])
            lines.append(f"| {low:.0%} to {high:.0%} | {len(inside)} | {mean:.1%} | {share:.1%} |")
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m samesight.conversion.parity.sabotage", description="How well faults in an app are named."
    )
    parser.add_argument("bundles", type=Path, nargs="+", help="bundles with fp32 and int8 ONNX and TFLite files")
    parser.add_argument("--trials", type=int, default=4, help="of each fault and bundle")
    parser.add_argument("--clean", type=int, default=100, help="trials of right apps, for each bundle")
    options = parser.parse_args()
    wrong = [trial for folder in options.bundles for trial in sabotage_trials(folder, options.trials)]
    print("\n".join(confusion(wrong)))
    print("\n" + "\n".join(calibration(wrong)))
    clean = [trial for folder in options.bundles for trial in clean_trials(folder, options.clean)]
    alarms = [trial for trial in clean if not trial.judged.passed]
    print(f"\nRight apps: {len(clean)} trials, {len(alarms)} alarms.")
    for trial in alarms:
        print(f"  {trial.model}: {trial.judged.distance:.2g} of {trial.judged.allowed:.2g} allowed")


if __name__ == "__main__":
    main()
