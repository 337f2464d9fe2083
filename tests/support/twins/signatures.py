"""Signed packs in the apps' own code: it takes and refuses what Python does, with the same sentences."""

import json

from support.signed_packs import FORGERIES, VERSION, Keys, judged_bundle, repacked, signed_pack


def test_an_app_refuses_what_python_refuses(parity, tmp_path):
    keys, other = Keys.new(tmp_path / "keys"), Keys.new(tmp_path / "other")
    bundle = judged_bundle(tmp_path / "tiny")
    pack = signed_pack(tmp_path / "tiny.zip", bundle, keys)
    key, fingerprint = keys.public.text, keys.public.fingerprint
    packs = dict.fromkeys(("good", "again"), (pack, pack))
    expected = {"good": f"tiny {VERSION}", "again": f"tiny {VERSION}"}
    for name, (change, sentence) in FORGERIES.items():
        forged = repacked(pack, tmp_path / f"{name}.zip", change)
        packs[name], expected[name] = (forged, None), f"{forged}: {sentence.format(key=fingerprint)}"
    stranger = signed_pack(tmp_path / "stranger.zip", bundle, other)
    packs["stranger"] = stranger, None
    expected["stranger"] = f"{stranger}: is signed by key {other.public.fingerprint}, and only {fingerprint} is taken"
    newer = signed_pack(tmp_path / "newer.zip", bundle, keys, VERSION + 1)
    packs["newer"], expected["newer"] = (newer, pack), f"tiny {VERSION + 1}"
    packs["older"] = pack, newer
    expected["older"] = (
        f"{pack}: is version {VERSION} of tiny, and version {VERSION + 1} is there; only a newer one is taken"
    )
    cases = [
        {"archive": str(archive), "folder": str(tmp_path / f"{name}.b"), "key": key}
        | ({"present": str(present), "present_folder": str(tmp_path / f"{name}.p")} if present else {})
        for name, (archive, present) in packs.items()
    ]
    found = dict(zip(packs, parity("signatures", map(json.dumps, cases), tmp_path), strict=True))
    assert {name: line for name, line in found.items() if not line.startswith(expected[name])} == {}
