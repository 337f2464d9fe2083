"""Transfer learning: a training that starts from the weights of a finished run, with a new head for other labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.spec import read_spec
from samesight.training.checkpoint import read_checkpoint
from samesight.training.models.network import Network
from samesight.training.run_folder import CHECKPOINT, check_source

# What the run has decided for all that start from it, and the name of its option.
DECIDED = {"model": "--model", "pretrained": "--pretrained"}
# What is taken from the run where nobody asks for something else.
TAKEN = ("width", "height", "framing")
PREFIX = "network."


def start_options(source: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a training that starts from a run: its model, and its size and framing unless others are given.

    Raises:
        UsageError: an option that the run decides.
        SamesightError: the source is no finished run, or its weights are those of an int8 program.
    """
    for name, option in DECIDED.items():
        if options.get(name) is not None:
            raise UsageError(f"{option} is decided by the run {source} that training starts from; leave it out")
    config = check_source(source)
    if config.get("tuned_from"):
        raise SamesightError(
            f"{source}: fine-tuned for int8, its weights are those of the phone's program; "
            f"start from the run that it came from, {config['tuned_from']}"
        )
    taken = {name: config[name] for name in TAKEN if config.get(name) is not None}
    if options.get("width") is not None:
        taken = {name: value for name, value in taken.items() if name == "framing"}
    return taken | options | {"model": config.get("model", "default"), "start_from": source.resolve()}


def load_start(network: Network, source: Path, labels: Sequence[str]) -> str:
    """Load a run's weights into a network of its kind; the head begins anew where the labels differ.

    Returns:
        a sentence about what was taken.

    Raises:
        SamesightError: the run's checkpoint is missing or damaged, or it is of another network.
    """
    checkpoint = source / CHECKPOINT
    state = read_checkpoint(checkpoint, "train that run anew, or start from another")["state_dict"]
    weights = {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}
    own = network.module.state_dict()
    same_labels = tuple(labels) == read_spec(source / "model.json").labels
    layers = () if same_labels else network.label_layers
    fresh = {name for name in own if name.startswith(tuple(f"{layer}." for layer in layers))} if layers else set()
    misfits = [name for name in own.keys() - fresh if name not in weights or weights[name].shape != own[name].shape]
    if misfits or weights.keys() - own.keys():
        name = min(misfits or weights.keys() - own.keys())
        raise SamesightError(f"{checkpoint}: its {name} does not fit this network; train that run anew")
    network.module.load_state_dict(own | {name: value for name, value in weights.items() if name not in fresh})
    if not fresh:
        return f"starting from {source}: all weights, for it has the same labels"
    return (
        f"starting from {source}: {len(own) - len(fresh)} of {len(own)} tensors; "
        f"{' and '.join(layers)} begins anew, for the labels are others"
    )
