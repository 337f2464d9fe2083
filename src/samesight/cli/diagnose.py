"""`samesight diagnose`: what is wrong in the code that gave these answers?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from samesight.conversion.parity.diagnose import Diagnosis

EPILOG = """\b
Examples:
  samesight diagnose demo/digits digits.int8.tflite --images photos --answers answers.json
  samesight diagnose demo/scenes scenes.fp32.onnx --answers answers.json
  samesight diagnose demo/scenes scenes.int8.tflite --answers device-parity.json
  samesight diagnose demo/digits digits.fp16.tflite --images photos --answers answers.json --unit gpu
  samesight diagnose demo/digits digits.fp32.onnx --images photos --answers answers.json --earlier demo/old --json

\b
FILE is what an app's self-test exported (device-parity.json), what `samesight predict --json` prints, or image names
with the answers of anyone's code:
  {"1.jpg": [{"label": "cat", "score": 0.9}, …], …}                                best first
  {"1.jpg": [0.01, 0.9, …], …}                                                     scores in the order of the labels
  {"1.jpg": [{"label": "cat", "score": 0.9, "box": [x1, y1, x2, y2]}, …], …}       a detector's
  {"1.jpg": {"boxes": [[…], …], "scores": […], "labels": […]}, …}                  a detector's too
Boxes are in pixels of the image as it is stored in its file.

Exit code 0: the answers are the artifact's. 1: they are not, or do not fit the bundle. 2: wrong options.
docs/diagnosis.md lists the faults that are known and says how sure a confidence is."""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("artifact")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The images that were answered [the bundle's golden images].",
)
@click.option(
    "--answers", type=click.Path(path_type=Path), metavar="FILE", required=True, help="The answers, see below."
)
@click.option(
    "--unit",
    type=click.Choice(["cpu", "gpu", "npu"]),
    help="What the artifact ran on: a GPU or an NPU rounds more [as the file says, or cpu].",
)
@click.option(
    "--earlier",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="A bundle whose answers they may be by mistake; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def diagnose(
    bundle: Path,
    artifact: str,
    images: Path | None,
    answers: Path,
    unit: str | None,
    earlier: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Say what is wrong in the code that gave answers with an ARTIFACT of BUNDLE, on a phone or anywhere.

    The answers are compared with those that the artifact gives here. Where they differ by more than another machine's
    rounding, known faults are applied to the same images, and ranked by how much of the difference each explains.
    """
    from samesight.conversion.parity.diagnose import print_diagnosis

    diagnosis = _diagnose(bundle, artifact, images, answers, unit, earlier, as_json)
    click.echo(diagnosis.to_json() if as_json else print_diagnosis(diagnosis), nl=not as_json)
    raise SystemExit(0 if diagnosis.passed else 1)


def _diagnose(
    folder: Path,
    name: str,
    images: Path | None,
    file: Path,
    unit: str | None,
    earlier: tuple[Path, ...],
    quiet: bool,
) -> "Diagnosis":
    from typing import cast

    from samesight.cli.tables import progress_bar
    from samesight.contract.bundle import open_bundle
    from samesight.contract.errors import UsageError
    from samesight.contract.golden import FOLDER
    from samesight.contract.manifest import Unit
    from samesight.conversion.apps.device_diagnosis import chosen_run, diagnose_run
    from samesight.conversion.apps.device_results import read_device_parity
    from samesight.conversion.parity.diagnose import diagnose as diagnose_answers
    from samesight.conversion.parity.given_answers import read_answers, read_json

    bundle = open_bundle(folder)
    artifact = bundle.find(name)
    others = {f"the answers are those of {path}": open_bundle(path) for path in earlier}
    content = read_json(file)
    with progress_bar("comparing", quiet=quiet) as progress:
        if isinstance(content, dict) and "runs" in content:
            if images:
                raise UsageError(f"--images: {file} is about the bundle's golden images; leave --images out")
            run = chosen_run(read_device_parity(file, bundle), name, unit, file)
            return diagnose_run(bundle, run, others, progress)
        given = read_answers(file, content, images or bundle.folder / FOLDER, bundle.spec)
        return diagnose_answers(bundle, artifact, given, cast("Unit", unit or "cpu"), others, progress=progress)
