"""The view of layers as text: what `samesight verify --layers` prints."""

from samesight.conversion.parity.layer_view import ArtifactLayers, LayerView

BAR = 24
"""Characters of the longest bar."""


def print_layers(view: LayerView) -> str:
    """The figures as lines: a bar per value, and the first that breaks."""
    most = max((layer.snr_db or 0.0 for artifact in view.artifacts for layer in artifact.layers), default=1.0)
    lines = [line for artifact in view.artifacts for line in _lines(artifact, view.images, max(most, 1.0))]
    for name, reason in (view.unable | view.failed).items():
        lines.append(f"{name}: not compared: {reason}")
    return "\n".join(lines)


def _lines(artifact: ArtifactLayers, images: int, most: float) -> list[str]:
    what = (
        f"{len(artifact.layers)} of {artifact.values} values" if artifact.inside else "its runtime shows outputs alone"
    )
    lines = [f"{artifact.artifact} ({artifact.runner}): {what}, {images} images, floor {artifact.floor_db:g} dB"]
    width = max((len(layer.module) for layer in artifact.layers), default=0)
    for position, layer in enumerate(artifact.layers):
        figure = "exact" if layer.snr_db is None else f"{layer.snr_db:.1f}"
        share = 1.0 if layer.snr_db is None else min(1.0, max(0.0, layer.snr_db / most))
        bar = "█" * round(BAR * share)
        mark = " ←" if position == artifact.first else ""
        lines.append(f"  {figure:>7}  {bar:<{BAR}}  {layer.module:<{width}}  {layer.operator}{mark}".rstrip())
    broken = artifact.broken
    if broken is not None and broken.snr_db is not None:
        lines.append(f"  first to break: {broken.module}, {broken.operator} ({broken.node}): {broken.snr_db:.1f} dB")
    return [*lines, ""]
