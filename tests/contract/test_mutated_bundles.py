"""Whatever a packed bundle holds, the reader accepts it or says one sentence (the apps: tests/android)."""

from collections import Counter

import pytest

from samesight.contract.archive import pack_bundle
from samesight.contract.verdicts import Verdicts
from support.bundles import write_bundle
from support.mutations import COUNT, KINDS, mutated_packs, outcome


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    bundle = write_bundle(folder / "b")
    bundle.write_verdicts(Verdicts(manifest_sha256=bundle.manifest_sha256(), passed=True, artifacts=()))
    pack_bundle(bundle, "all", folder / "b.zip")
    return (folder / "b.zip").read_bytes()


def test_a_mutated_pack_is_accepted_or_refused_in_one_sentence(good, memory_folder):
    archive, folder = memory_folder / "p.zip", memory_folder / "b"
    found = Counter()
    for _, data in mutated_packs(good):
        archive.write_bytes(data)
        sentence = outcome(archive, folder)
        assert sentence == "accepted" or sentence.startswith((str(memory_folder), "model ")), sentence
        assert "\n" not in sentence and len(sentence) < 1000
        found[sentence == "accepted"] += 1
        assert sorted(path.name for path in memory_folder.iterdir()) == ["p.zip"]
    assert found[False] > COUNT / 2 and found[True] > COUNT / 50


def test_every_kind_of_mutation_is_noticed_somewhere(good, memory_folder):
    """A kind whose archives all pass would test nothing."""
    import random

    from support import mutations

    for kind in set(KINDS):
        draw = random.Random(1)
        files = _files(good)
        results = set()
        for _ in range(40):
            (memory_folder / "p.zip").write_bytes(kind(draw, good, dict(files)))
            results.add(mutations.outcome(memory_folder / "p.zip", memory_folder / "b"))
        assert results - {"accepted"}, kind.__name__


def _files(good):
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
