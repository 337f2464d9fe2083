"""Faults in what a bundle holds, put there with valid hashes: what is judged must still say no."""

import json

from samesight.contract.bundle import seal
from samesight.contract.files import write_atomically
from samesight.contract.manifest import Manifest
from samesight.contract.spec import ModelSpec


def reseal(folder, change_artifact=lambda artifact: artifact, spec=None):
    manifest = json.loads((folder / "manifest.json").read_text())
    bundle_spec = ModelSpec.model_validate(json.loads((folder / "model.json").read_text()))
    if spec:
        write_atomically(folder / "model.json", spec(bundle_spec).to_json().encode())
    read = Manifest.model_validate(manifest)
    seal(folder, bundle_spec, tuple(change_artifact(a) for a in read.artifacts), read.data, read.samesight)


def only(name, change):
    return lambda artifact: change(artifact) if artifact.name == name else artifact


def shifted_zero_point(by):
    def change(artifact):
        outputs = tuple(t.model_copy(update={"zero_point": t.zero_point + by}) for t in artifact.outputs)
        return artifact.model_copy(update={"outputs": outputs})

    return change


def rescaled(artifact):
    outputs = tuple(t.model_copy(update={"scale": t.scale * 1.25}) for t in artifact.outputs)
    return artifact.model_copy(update={"outputs": outputs})


def outputs_as_floats(artifact):
    outputs = tuple(
        t.model_copy(update={"dtype": "float32", "scale": None, "zero_point": None}) for t in artifact.outputs
    )
    return artifact.model_copy(update={"outputs": outputs})


def stored_as(input_layout):
    return lambda artifact: artifact.model_copy(update={"input_layout": input_layout})


def labels_turned(spec):
    return spec.model_copy(update={"labels": (*spec.labels[1:], spec.labels[0])})


def input_changed(**update):
    return lambda spec: spec.model_copy(update={"input": spec.input.model_copy(update=update)})
