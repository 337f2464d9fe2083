"""Mixed artifacts from end to end: a recipe is found, stands in the bundle, and makes the same file again."""

from pathlib import Path

import pytest

from samesight.contract.archive import ONLY_HERE
from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError, UsageError
from samesight.conversion.quantization.recipe import FILE, Recipe, read_recipe
from samesight.conversion.sources.source import open_source
from samesight.conversion.workflow.cache import Cache
from samesight.conversion.workflow.convert import convert_source
from samesight.conversion.workflow.mixing import Mixing, read_wish
from samesight.conversion.workflow.plan import choose
from samesight.conversion.workflow.worker_protocol import RECIPE


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "given.json"
    path.write_text(Recipe(model="m", network="0", layers={"stem": "int8"}).to_json())
    return path


def test_what_is_asked(recipe_file):
    assert read_wish(("int8",)) == (("int8",), None)
    assert read_wish(("auto", "int8"), None, 0.25, "1.5MB") == (("mixed", "int8"), Mixing(None, 0.25, 1_500_000))
    assert read_wish((), recipe_file) == (("mixed",), Mixing(recipe_file))
    assert read_wish(("mixed", "fp32"), recipe_file) == (("mixed", "fp32"), Mixing(recipe_file))
    assert [read_wish(("auto",), None, None, size)[1].max_bytes for size in ("7", "500kB", "2 MB")] == [
        7,
        500_000,
        2_000_000,
    ]


@pytest.mark.parametrize(
    ("precisions", "options", "sentence"),
    [
        (("int8",), {"max_drop": 1.0}, "--max-drop is the budget of a search; give --precision auto too"),
        ((), {"max_size": "2MB"}, "--max-size is the budget of a search; give --precision auto too"),
        (("mixed",), {}, "--precision mixed needs a recipe: give --recipe FILE, or --precision auto, which finds one"),
        ((), {"recipe": Path("none.json")}, "--recipe: none.json: no such file; give the recipe.json of a bundle"),
        (("auto",), {"recipe": Path("x")}, "--recipe has a recipe, and --precision auto searches for one; give one"),
        (("auto",), {"max_drop": float("nan")}, "--max-drop: nan is not a number of points from 0 to 100"),
        (("auto",), {"max_drop": -1.0}, "--max-drop: -1 is not a number of points from 0 to 100"),
        (("auto",), {"max_size": "2 apples"}, "--max-size: '2 apples' is no size; write 2MB, 500kB or a number of"),
        (("auto",), {"max_size": "0"}, "--max-size: '0' is no size"),
    ],
)
def test_wishes_that_contradict_themselves(precisions, options, sentence):
    with pytest.raises(UsageError) as caught:
        read_wish(precisions, **options)
    assert str(caught.value).startswith(sentence)


def test_mixed_artifacts_are_made_by_name_alone():
    everything = [target.precision for target in choose("m", ["all"], ["all"])]
    assert "mixed" not in everything and "int4-weights" not in everything
    assert [target.name for target in choose("m", [], ["mixed"])] == [
        "m.mixed.onnx",
        "m.mixed.pte",
        "m.mixed.tflite",
        "m.mixed.mlpackage",
    ]
    assert "recipe.json" in ONLY_HERE


@pytest.mark.slow
def test_a_recipe_is_found_kept_and_used_again(digits_run, tmp_path):
    def convert(out, mixing, formats=("onnx",)):
        cache = Cache(tmp_path / "cache")
        return convert_source(digits_run, tmp_path / out, formats, ("mixed",), cache=cache, mixing=mixing)

    first = convert("out", Mixing(None, 1.0))
    recipe = read_recipe(tmp_path / "out" / FILE)
    assert recipe.max_drop == 1.0 and recipe.found.drop <= 0.01 and recipe.found.images == 179
    assert [artifact.name for artifact in first.bundle.manifest.artifacts] == ["digits.mixed.onnx"]
    assert FILE in {entry.path for entry in first.bundle.manifest.files}

    # The first layer by hand, in a scheme that ONNX holds and ExecuTorch does not.
    name = next(iter(recipe.layers))
    edited = tmp_path / "edited.json"
    edited.write_text(recipe.model_copy(update={"layers": recipe.layers | {name: "weights"}}).to_json())
    second = convert("edited", Mixing(edited), ("onnx", "pte"))
    assert (tmp_path / "edited" / FILE).read_bytes() == edited.read_bytes()
    assert second.failures == {
        "digits.mixed.pte": f"ExecuTorch has no 'weights' layers, and the recipe wants one of {name}; "
        "it holds int8, float"
    }
    files = [tmp_path / out / "artifacts/digits.mixed.onnx" for out in ("out", "edited", "again")]
    assert files[0].read_bytes() != files[1].read_bytes()
    uncached = convert_source(
        digits_run, tmp_path / "again", ("onnx",), ("mixed",), mixing=Mixing(tmp_path / "out" / FILE)
    )
    assert files[0].read_bytes() == files[2].read_bytes() and not uncached.cached

    stranger = tmp_path / "stranger.json"
    stranger.write_text(recipe.model_copy(update={"network": "0" * 16}).to_json())
    with pytest.raises(SamesightError, match=r"the recipe belongs to another network \(its layers have other shapes\)"):
        convert("out", Mixing(stranger))
    least = recipe.found.weight_bytes
    with pytest.raises(
        SamesightError, match=rf"^digits\.mixed\.onnx has [\d,]+ bytes, and --max-size allows {least:,}"
    ):
        convert("out", Mixing(None, 1.0, least))
    assert open_bundle(tmp_path / "out").manifest == first.bundle.manifest
    assert RECIPE in convert("out", Mixing(None, 1.0)).cached


def test_points_need_labelled_images(digits_run, tmp_path):
    source = open_source(str(digits_run / "network.pt2"), digits_run / "model.json", digits_run / "calibration")
    with pytest.raises(UsageError, match=r"^--max-drop: .*network\.pt2 has no labelled images to measure points on"):
        convert_source(source, tmp_path / "out", ("onnx",), ("mixed",), mixing=Mixing(None, 1.0))
    assert not (tmp_path / "out").exists()
