"""What a recipe was allowed to lose on validation images is held against the test images."""

from types import SimpleNamespace

import pytest

from samesight.conversion.parity.budget import budget_told
from samesight.conversion.quantization.recipe import FILE, Found, Recipe

FOUND = Found(images=100, metric_name="map50", server=0.9, drop=0.001, agreement=1.0, snr_db=30.0, weight_bytes=9)
RECIPE = Recipe(model="m", network="0", layers={"stem": "int8", "neck": "int8", "head": "float"}, max_drop=0.5)


def judged(folder, recipe, *drops):
    if recipe:
        (folder / FILE).write_text(recipe.to_json())
    verdicts = [
        SimpleNamespace(name=f"m.{precision}.onnx", precision=precision, metric=SimpleNamespace(drop=drop))
        for precision, drop in drops
    ]
    return budget_told(SimpleNamespace(folder=folder), SimpleNamespace(artifacts=verdicts))


def test_mixed_artifacts_alone_are_held_to_it(tmp_path):
    recipe = RECIPE.model_copy(update={"found": FOUND})
    told, missed = judged(tmp_path, recipe, ("mixed", 0.006), ("int8", 0.5))
    assert told == [
        "recipe.json: 2 int8, 1 float (head); +0.10 points of map50 lost on 100 validation images",
    ]
    (sentence,) = missed
    assert sentence.startswith("m.mixed.onnx loses 0.60 points on the test images, more than the 0.5 of --max-drop")


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.model_copy(update={"max_drop": None}), None])
def test_nothing_is_missed(tmp_path, recipe):
    assert judged(tmp_path, recipe, ("mixed", 0.004))[1] == []


def test_many_layers_are_not_all_named():
    recipe = RECIPE.model_copy(update={"layers": {f"layer{n}": "float" for n in range(7)}})
    assert recipe.words == "7 float (layer0, layer1, layer2, layer3, layer4, …)"
