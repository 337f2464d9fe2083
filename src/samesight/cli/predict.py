"""`samesight predict`: answers images."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from samesight.contract.answers import Answer

EPILOG = """\b
Examples:
  samesight predict demo/digits photo.jpg
  samesight predict demo/scenes photo.jpg --artifact scenes.int8.tflite --draw answer.png
  samesight predict demo/scenes photos
  samesight predict runs/digits *.png --json

JSON: a list of {"image", "answers": [{"label", "score", "box": [x1, y1, x2, y2]}]}; boxes are in pixels of the image as
it is stored in the file (before its EXIF orientation), drawings are upright. Of several images those that cannot be
read are named and the others answered; in JSON they have {"image", "answers": null, "error"}.
Exit code 0: all images were answered. 1: one was not. 2: wrong options."""


@click.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--artifact", metavar="NAME", help="Which artifact of a bundle [its fp32 artifact that loads fastest].")
@click.option(
    "--draw", type=click.Path(path_type=Path), metavar="FILE", help="Draw the answers (with several images: FILE-1 …)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def predict(model: Path, images: tuple[Path, ...], artifact: str | None, draw: Path | None, as_json: bool) -> None:
    """Answer IMAGES with a bundle's artifact or a run's server model (MODEL).

    A folder among IMAGES stands for the images in it and below it. Several images get one row each.
    """
    from samesight.contract.answers import answers
    from samesight.contract.errors import SamesightError, UsageError
    from samesight.conversion.runners.model import as_picture, open_model

    paths = _files(images)
    several = len(paths) > 1
    drawings = (
        [draw.with_stem(f"{draw.stem}-{n}") if several else draw for n in range(1, len(paths) + 1)] if draw else []
    )
    taken = {path.resolve() for path in paths}
    for drawing in drawings:
        if drawing.resolve() in taken:
            raise UsageError(f"--draw {draw}: {drawing} is one of the images; name another file")
    opened = open_model(model, artifact)
    results: list[dict[str, Any]] = []
    failed = False
    with _progress(len(paths), as_json) as progress:
        for number, path in enumerate(paths):
            progress(number, len(paths))
            try:
                picture = as_picture(path, opened.spec)
            except SamesightError as error:
                if not several:
                    raise
                click.echo(f"samesight: {error}", err=True)
                results.append({"image": str(path), "answers": None, "error": str(error)})
                failed = True
                continue
            outputs, geometry = opened.outputs(picture)
            found = answers(outputs, opened.spec, geometry)
            plain = [{"label": a.label, "score": a.score, "box": a.box} for a in found]
            results.append({"image": str(path), "answers": plain})
            if draw is not None:
                from samesight.conversion.report.annotate import draw_answers, save_drawing

                upright = answers(outputs, opened.spec, geometry, upright=True)
                save_drawing(draw_answers(picture.upright(), upright), drawings[number])
            if not as_json:
                click.echo(_row(path, found) if several else _lines(path, opened.name, found))
    if as_json:
        click.echo(json.dumps(results, indent=2))
    if failed:
        raise SystemExit(1)


def _files(images: Sequence[Path]) -> list[Path]:
    """The images, with those in a folder instead of the folder."""
    from samesight.contract.errors import SamesightError
    from samesight.contract.image import list_images

    files: list[Path] = []
    for path in images:
        if path.is_dir():
            inside = list_images(path)
            if not inside:
                raise SamesightError(f"{path}: holds no image (png, jpg, …); give images or a folder that has some")
            files += inside
        else:
            files.append(path)
    return files


@contextmanager
def _progress(count: int, as_json: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar for several images, but not where the rows themselves go to the terminal."""
    if count < 2 or as_json or sys.stdout.isatty():
        yield lambda done, total: None
        return
    from samesight.cli.tables import progress_bar

    with progress_bar("answering") as progress:
        yield progress


def _row(path: Path, found: "Sequence[Answer]") -> str:
    """One image of several: its answers on one line."""
    return f"{path}  {', '.join(f'{a.label} {a.score:.3f}' for a in found) or 'nothing found'}"


def _lines(path: Path, model: str, found: "Sequence[Answer]") -> str:
    """One image: a line per answer, with its box."""
    lines = [f"{path}  ({model})"]
    for answer in found:
        box = "" if answer.box is None else "  box " + " ".join(f"{value:.1f}" for value in answer.box)
        lines.append(f"  {answer.score:6.3f}  {answer.label}{box}")
    return "\n".join(lines if found else [*lines, "  nothing found"])
