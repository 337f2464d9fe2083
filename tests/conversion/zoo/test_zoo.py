"""The zoo: its table, weights that nobody trained, resuming, and one architecture all the way."""

import copy
import importlib.util
import json
import math
import os
import sys

import pytest
import torch

from samesight.contract.detection import detect
from samesight.contract.errors import UsageError
from samesight.conversion.zoo import run as running
from samesight.conversion.zoo.document import document
from samesight.conversion.zoo.images import photo_crops
from samesight.conversion.zoo.judge import formats
from samesight.conversion.zoo.networks import build, normalised
from samesight.conversion.zoo.result import Cell, Result, Wishes, path_of, read_result
from samesight.conversion.zoo.run import run_zoo
from samesight.conversion.zoo.table import ARCHITECTURES, AWKWARD, CLASSIFIERS, DETECTORS, SAMPLE, choose
from samesight.conversion.zoo.weights import SCALED, _eigenvectors


def test_the_table_has_what_it_promises():
    assert len(CLASSIFIERS) >= 30 and len(DETECTORS) >= 6 and len(AWKWARD) >= 4
    assert len(ARCHITECTURES) == len(CLASSIFIERS) + len(DETECTORS) + len(AWKWARD), "names are unique"
    assert {row.year for row in CLASSIFIERS} >= set(range(2014, 2025))
    assert [row.title for row in choose(["sample"])] == list(SAMPLE) and len(SAMPLE) == 8
    assert [row.title for row in choose(["yolo_v8", "timm:resnet18"])] == ["ours:yolo_v8", "timm:resnet18"]
    assert choose(["awkward"]) == AWKWARD and len(choose([])) == len(ARCHITECTURES)
    with pytest.raises(UsageError, match="the zoo has no 'resnt18'; did you mean resnet18"):
        choose(["resnt18"])


@pytest.mark.parametrize("title", ["timm:mobilenetv3_small_100", "timm:mixer_s32_224", "ours:fcos", "ours:five_axes"])
def test_signals_keep_their_scale_in_weights_that_nobody_trained(title):
    row = ARCHITECTURES[title]
    images = photo_crops(16, row.size)
    built = build(row, images, pretrained=False)
    deviations, counted = [], []
    for module in built.network.modules():
        if isinstance(module, SCALED):
            counted.append(module)
            module.register_forward_hook(lambda _, given, output: deviations.append(float(output.std())))
    batch = normalised(images, built.spec)
    with torch.no_grad():
        outputs = built.network(batch)
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    assert len(deviations) >= len(counted) and min(deviations) > 0.02 and max(deviations) < 50
    assert float((logits[0] - logits[1]).abs().mean()) > 0.02, "other images, other outputs"


@pytest.mark.parametrize("title", ["timm:mobilenetv2_050", "torchvision:mnasnet0_5", "timm:mobileone_s0"])
def test_untrained_weights_do_not_multiply_the_errors_of_half_precision(title):
    row = ARCHITECTURES[title]
    built = build(row, photo_crops(48, row.size), pretrained=False)
    batch = normalised(photo_crops(12, row.size, seed=1), built.spec)
    with torch.no_grad():
        exact = built.network(batch)
        half = copy.deepcopy(built.network).half()(batch.half()).float()
    noise, signal = (exact - half).square().mean(), (exact - exact.mean()).square().mean()
    assert 10 * math.log10(signal / noise) > 45, (
        "25 with weights that are random directions, 31 with six branches of full scale each"
    )
    assert len(set(exact.argmax(1).tolist())) >= 3, "images that look differently get different answers"


@pytest.mark.parametrize(
    "name", ["ssdlite320_mobilenet_v3_large", pytest.param("fcos_resnet50_fpn", marks=pytest.mark.slow)]
)
def test_untrained_detectors_of_torchvision_find_some_boxes_of_some_size(name):
    row = ARCHITECTURES[f"torchvision:{name}"]
    images = photo_crops(16, row.size)
    built = build(row, images, pretrained=False)
    with torch.no_grad():
        outputs = built.network(normalised(images[:8], built.spec))
    counts = []
    for image in range(8):
        one = [output[image : image + 1].numpy() for output in outputs]
        found = detect(dict(zip(built.spec.roles, one, strict=True)), built.spec)
        assert len(found.boxes) == 0 or float((found.boxes[:, 2:] - found.boxes[:, :2] > 1).all(1).mean()) > 0.8
        counts.append(len(found.scores))
    assert sum(count > 0 for count in counts) >= 4, counts


def result_of(title, key, state="pass"):
    cells = tuple(
        Cell(
            suffix=suffix,
            precision=precision,
            state=state if (suffix, precision) == ("mlpackage", "fp16") else "pass",
            reason="" if state == "pass" else "agrees on half",
            snr_db=None if suffix == "pt" else 50.0,
            bytes=1000,
        )
        for suffix, precision in formats()
    )
    return Result(title=title, key=key, parameters=11_000_000, cells=cells, plain={"onnx": 130.0, "pte": "no kernel"})


def test_it_resumes_where_it_stopped(tmp_path, monkeypatch):
    asked = []

    def judge(title, key, wishes):
        asked.append(title)
        if title == "ours:fcos" and len(asked) == 2:
            raise KeyboardInterrupt
        return result_of(title, key)

    monkeypatch.setattr(running, "judge_in_process", judge)
    rows = choose(["yolox", "fcos", "yolo_v8"])
    with pytest.raises(KeyboardInterrupt):
        run_zoo(rows, tmp_path)
    assert read_result(tmp_path, "ours:yolox") is not None
    path_of(tmp_path, "ours:fcos").write_text('{"title": ')  # as of a full disk
    told = []
    results = run_zoo(rows, tmp_path, on_result=lambda result, cached: told.append((result.title, cached)))
    assert [result.title for result in results] == ["ours:yolox", "ours:fcos", "ours:yolo_v8"]
    assert ("ours:yolox", True) in told and ("ours:fcos", False) in told
    assert asked.count("ours:yolox") == 1
    run_zoo(rows, tmp_path, wishes=Wishes(pretrained=True))
    assert asked.count("ours:yolox") == 2, "other weights are other results"
    run_zoo(rows, tmp_path, wishes=Wishes(formats=("onnx",)))
    assert asked.count("ours:yolox") == 3, "and so are other formats"
    run_zoo(rows, tmp_path, wishes=Wishes(formats=("onnx",), plain=False))
    assert asked.count("ours:yolox") == 4, "and those without the plain converters"


def test_whatever_a_process_dies_of_is_its_result(monkeypatch):
    monkeypatch.setattr(running, "JUDGE", "samesight.no_such_module")
    result = running.judge_in_process("timm:resnet18", "key", Wishes())
    assert result.error.startswith("its process ended with code 1") and "no_such_module" in result.error


@pytest.mark.slow
def test_two_workers_of_a_ray_cluster_do_the_same(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed; pip install 'samesight[ray]'")
    from ray.cluster_utils import Cluster

    def judge(title, key, wishes):
        import time

        time.sleep(1)  # as long as both take together, so that each worker has one
        if title == "ours:yolo_v8":
            raise RuntimeError("no space left")
        return Result(title=title, key=key, plain={"pid": str(os.getpid())}).to_json()

    monkeypatch.setattr(running, "_judge_remotely", judge)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        results = run_zoo(choose(["fcos", "yolox", "yolo_v8"]), tmp_path, ray_address=cluster.address)
    finally:
        cluster.shutdown()
    assert [result.title for result in results] == ["ours:fcos", "ours:yolox", "ours:yolo_v8"]
    assert "its host failed" in results[2].error and "no space left" in results[2].error
    assert len({str(os.getpid()), results[0].plain["pid"], results[1].plain["pid"]}) == 3
    assert read_result(tmp_path, "ours:fcos") == results[0]


def test_ray_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'samesight\[ray\]'"):
        run_zoo(choose(["fcos"]), tmp_path, ray_address="auto")


def test_the_document_counts_and_says_why():
    failed = Result(title="timm:levit_128s", key="k", error="its process was killed by SIGSEGV")
    text = document([result_of("timm:resnet18", "k"), result_of("ours:fcos", "k", "fail"), failed])
    assert "**1 of 3** architectures" in text and "| timm:resnet18 | 2015 | 128 | 11.0 | = |" in text
    assert "**50** c" in text and "- c: agrees on half" in text
    assert "agrees on half" in text and "killed by SIGSEGV" in text and "no kernel" in text
    assert "left to be run" in text and "torchvision:vgg11_bn" in text
    assert "left to be run" not in document([result_of(title, "k") for title in ARCHITECTURES])


def test_the_document_says_what_nobody_asked_for():
    """Results of `--to onnx --no-plain` leave no cell that looks like a result of none."""
    whole = result_of("timm:resnet18", "k")
    some = whole.model_copy(update={"cells": tuple(c for c in whole.cells if c.suffix == "onnx"), "plain": {}})
    text = document([some])
    row = next(line for line in text.splitlines() if line.startswith("| timm:resnet18 |"))
    assert "|  |" not in row and "not asked for (`--to`, `--precision`)" in text and "(`--no-plain`)" in text


@pytest.mark.slow
def test_an_architecture_goes_all_the_way(samesight, tmp_path):
    done = samesight("zoo", "odd_sizes", "--out", "zoo", "--document", "zoo.md", "--json", cwd=tmp_path)
    (result,) = json.loads(done.stdout)
    assert done.returncode == 0, (done.stderr, result)
    cells = {(cell["suffix"], cell["precision"]): cell for cell in result["cells"]}
    assert set(cells) == set(formats()) and result["parameters"] > 5000
    assert all(cell["snr_db"] > 80 for (_, precision), cell in cells.items() if precision == "fp32")
    assert set(result["plain"]) == {"onnx", "tflite", "pte", "mlpackage"}
    assert "| ours:odd_sizes | 2018 | 75 |" in (tmp_path / "zoo.md").read_text()
    again = samesight("zoo", "odd_sizes", "--out", "zoo", cwd=tmp_path)
    assert again.returncode == 0 and "kept from before" in again.stderr


@pytest.mark.slow
def test_a_sample_of_all_kinds_passes_in_float(samesight, tmp_path):
    arguments = ("sample", "--to", "onnx,tflite,mlpackage", "--precision", "fp32,fp16", "--no-plain", "--json")
    done = samesight("zoo", *arguments, "--processes", "2", "--out", "zoo", cwd=tmp_path)
    results = json.loads(done.stdout)
    assert done.returncode == 0, (done.stderr, results)
    assert [result["title"] for result in results] == list(SAMPLE)
    for result in results:
        cells = {(cell["suffix"], cell["precision"]): cell["snr_db"] for cell in result["cells"]}
        assert set(cells) == {
            ("onnx", "fp32"),
            ("tflite", "fp32"),
            ("tflite", "fp16"),
            ("mlpackage", "fp32"),
            ("mlpackage", "fp16"),
        }
        assert min(figure for (_, precision), figure in cells.items() if precision == "fp32") > 80, result
        assert result["plain"] == {}


def test_the_table_is_of_all_formats(samesight):
    done = samesight("zoo", "fcos", "--to", "onnx", "--document", "zoo.md")
    assert done.returncode == 2 and "--document is the table of all formats" in done.stderr
    done = samesight("zoo", "fcos", "--no-plain", "--document", "zoo.md")
    assert done.returncode == 2 and "leave out --to, --precision and --no-plain" in done.stderr


def test_listing_needs_no_torch(samesight):
    done = samesight("zoo", "--list", "detectors")
    assert done.returncode == 0 and done.stdout.count("ours:") == 6 and done.stdout.count("torchvision:") == 4
    assert sys.modules["torch"]  # of this process
    assert samesight("zoo", "no_such_net").returncode == 2


def test_directions_of_equal_energies_are_found_where_float32_finds_none(monkeypatch):
    exact = torch.linalg.eigh

    def never_ends_in_float32(matrix):
        if matrix.dtype == torch.float32:
            raise torch.linalg.LinAlgError("failed to converge")
        return exact(matrix)

    monkeypatch.setattr(torch.linalg, "eigh", never_ends_in_float32)
    rows = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    energies, directions = _eigenvectors(rows.T @ rows)
    assert torch.allclose(directions * energies @ directions.T, rows.T @ rows, atol=1e-4)
    assert energies.dtype == directions.dtype == torch.float32
