"""`samesight predict`: answers images."""

import json
from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight predict demo/digits photo.jpg
  samesight predict demo/scenes photo.jpg --artifact scenes.int8.tflite --draw answer.png
  samesight predict runs/digits *.png --json

JSON: a list of {"image", "answers": [{"label", "score", "box": [x1, y1, x2, y2]}]}; boxes are in pixels of the image as
it is stored in the file (before its EXIF orientation), drawings are upright."""


@click.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--artifact", metavar="NAME", help="Which artifact of a bundle [its fp32 artifact that loads fastest].")
@click.option(
    "--draw", type=click.Path(path_type=Path), metavar="FILE", help="Draw the answers (with several images: FILE-1 …)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def predict(model: Path, images: tuple[Path, ...], artifact: str | None, draw: Path | None, as_json: bool) -> None:
    """Answer IMAGES with a bundle's artifact or a run's server model (MODEL)."""
    from samesight.contract.answers import answers
    from samesight.contract.errors import UsageError
    from samesight.conversion.runners.model import as_picture, open_model

    if draw is not None and any(draw.resolve() == path.resolve() for path in images):
        raise UsageError(f"--draw {draw}: is one of the images; name another file")
    opened = open_model(model, artifact)
    pictures = [as_picture(path, opened.spec) for path in images]
    results = []
    for number, (path, picture) in enumerate(zip(images, pictures, strict=True), start=1):
        outputs, geometry = opened.outputs(picture)
        predictions = answers(outputs, opened.spec, geometry)
        results.append(
            {"image": str(path), "answers": [{"label": a.label, "score": a.score, "box": a.box} for a in predictions]}
        )
        if draw is not None:
            from samesight.conversion.report.annotate import draw_answers, save_drawing

            target = draw if len(images) == 1 else draw.with_stem(f"{draw.stem}-{number}")
            upright = answers(outputs, opened.spec, geometry, upright=True)
            save_drawing(draw_answers(picture.upright(), upright), target)
        if not as_json:
            click.echo(f"{path}  ({opened.name})")
            for answer in predictions:
                box = "" if answer.box is None else "  box " + " ".join(f"{value:.1f}" for value in answer.box)
                click.echo(f"  {answer.score:6.3f}  {answer.label}{box}")
            if not predictions:
                click.echo("  nothing found")
    if as_json:
        click.echo(json.dumps(results, indent=2))
