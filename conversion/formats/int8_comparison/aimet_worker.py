"""Runs in an interpreter that has AIMET and nothing of ours: quantizes an ONNX file and gives its outputs.

    python aimet_worker.py FOLDER RECIPE

FOLDER holds `float.onnx`, `calibration.npy` and `images.npy` (float32 [n,C,H,W]), and gets `output0.npy` and so on.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

RECIPES = ("min-max", "SQNR ranges", "equalized, min-max", "AdaRound, min-max", "sequential MSE, min-max")
ADAROUND_STEPS = 2000
"""For each layer. AIMET's documentation has 10,000, which is an hour and more for some of these networks."""


def quantized(folder: Path, recipe: str, inputs: list[dict[str, Any]]) -> Any:
    """AIMET's simulation of the network, whose outputs are those of its int8 program."""
    import aimet_onnx  # type: ignore[import-not-found]
    import onnx
    from aimet_onnx.common.quantsim_config.utils import get_path_for_per_channel_config  # type: ignore[import-not-found]
    from aimet_onnx.cross_layer_equalization import equalize_model  # type: ignore[import-not-found]

    model = onnx.load(folder / "float.onnx")
    if recipe.startswith("equalized"):
        equalize_model(model)
    scheme = "min_max" if recipe.endswith("min-max") else "tf_enhanced"
    simulation = aimet_onnx.QuantizationSimModel(
        model,
        param_type=aimet_onnx.int8,
        activation_type=aimet_onnx.int8,
        quant_scheme=scheme,
        config_file=get_path_for_per_channel_config(),
        providers=["CPUExecutionProvider"],
    )
    if recipe.startswith("AdaRound"):
        aimet_onnx.apply_adaround(simulation, inputs, ADAROUND_STEPS)
    if recipe.startswith("sequential MSE"):
        aimet_onnx.apply_seq_mse(simulation, inputs)
    simulation.compute_encodings(inputs)
    return simulation


def main() -> None:
    """Quantize, run, and write the outputs."""
    folder, recipe = Path(sys.argv[1]), sys.argv[2]
    inputs = [{"image": image[None]} for image in np.load(folder / "calibration.npy")]
    simulation = quantized(folder, recipe, inputs)
    # The session's operators point into the simulation, which has to live as long.
    parts = [simulation.session.run(None, {"image": image[None]}) for image in np.load(folder / "images.npy")]
    for place, role in enumerate(zip(*parts, strict=True)):
        np.save(folder / f"output{place}.npy", np.concatenate(role))


if __name__ == "__main__":
    main()
