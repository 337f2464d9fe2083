"""The Core ML package inside an ExecuTorch file."""

import numpy as np
import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.contract.tensor_layout import pack
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.coreml.import_coremltools import import_coremltools
from samesight.conversion.runners.coreml.pte_package import extract_package, load_any
from samesight.conversion.snr import role_figures

pytestmark = pytest.mark.slow

ct = import_coremltools()


def lowered(program, path, **options):
    with quiet():
        from executorch.backends.apple.coreml.compiler import CoreMLBackend
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner
        from executorch.exir import to_edge_transform_and_lower

        target, precision = ct.target.iOS17, ct.precision.FLOAT16
        specs = CoreMLBackend.generate_compile_specs(minimum_deployment_target=target, compute_precision=precision)
        partitioner = CoreMLPartitioner(compile_specs=specs, **options)
        path.write_bytes(to_edge_transform_and_lower(program, partitioner=[partitioner]).to_executorch().buffer)
    return path


@pytest.fixture(scope="module")
def digits(tmp_path_factory, digits_prepared):
    return lowered(digits_prepared.exported, tmp_path_factory.mktemp("pte") / "digits.pte")


def test_it_is_the_network_within_half_precision(digits, digits_prepared):
    evaluator = load_any(digits)
    assert evaluator.path == digits
    (only,) = evaluator.inputs
    assert only.image is None
    rng = np.random.default_rng(0)
    wanted, found = [], []
    for _ in range(6):
        image = pack(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), "float32_nchw")
        with torch.no_grad():
            wanted.append(digits_prepared.module(torch.from_numpy(image))[0].numpy())
        found.append(next(iter(evaluator({only.declared.name: image}).values())))
    assert role_figures("logits", wanted, found).snr_db >= 45


def test_the_package_lies_where_it_is_asked_for(digits, tmp_path):
    package = extract_package(digits, tmp_path)
    assert tmp_path in package.parents
    assert (package / "Manifest.json").exists()


def test_a_part_of_a_network_is_refused(tmp_path, digits_prepared):
    skipped = ["aten.relu.default"]
    path = lowered(digits_prepared.exported, tmp_path / "part.pte", skip_ops_for_coreml_delegation=skipped)
    with pytest.raises(SamesightError, match="Core ML has only a part of this network"):
        load_any(path)


def test_a_file_for_another_backend_is_refused(tmp_path, digits_prepared):
    from samesight.conversion.formats.executorch.xnnpack import convert
    from samesight.conversion.formats.interface import Lowering

    path = convert(Lowering(digits_prepared.spec, "fp32", digits_prepared, None, tmp_path / "xnnpack.pte")).path
    with pytest.raises(SamesightError, match=r"no Core ML inside \(backends: XnnpackBackend\)"):
        load_any(path)


def test_damaged_files_are_one_sentence(tmp_path):
    path = tmp_path / "damaged.pte"
    path.write_bytes(b"not a program at all" * 20)
    with pytest.raises(SamesightError, match="this ExecuTorch reads"):
        load_any(path)
    with pytest.raises(SamesightError, match="cannot be read"):
        load_any(tmp_path / "none.pte")
