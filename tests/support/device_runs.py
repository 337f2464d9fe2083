"""What a flawless app exports of a bundle that `support.bundles` made."""

import hashlib

from samesight.contract.device_results import CaseRun, DeviceParity, Times, UnitRun
from samesight.contract.golden import StoredAnswer


def flawless_case(case, image):
    return CaseRun(
        id=case.id,
        image=image,
        tensor_sha256=hashlib.sha256(case.tensor.tobytes()).hexdigest(),
        answers=tuple(StoredAnswer.of(answer) for answer in case.answers),
    )


def flawless_run(bundle, **update):
    cases = bundle.golden_cases()
    images = [(case, image) for case in cases for image in ("rgb", *([case.yuv.layout] if case.yuv else []))]
    run = UnitRun(
        artifact="tiny.fp32.onnx",
        unit="cpu",
        proof="certain",
        refusal=None,
        delegates=(),
        times=Times(load=3.0, first=2.0, steady=1.0),
        slower=False,
        snr_db={"logits": 120.0},
        cases=tuple(flawless_case(*one) for one in images),
    )
    return run.model_copy(update=update)


def parity_of(bundle, *runs, device="Maker Model"):
    return DeviceParity(
        manifest_sha256=bundle.manifest_sha256(),
        app="an app",
        device=device,
        system="Android 16",
        runtimes={"LiteRT": "2.3.0"},
        runs=runs,
    )
