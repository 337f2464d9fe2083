import json
import multiprocessing
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samesight.contract.errors import SamesightError
from samesight.conversion.cache_folder import default_root, tools_root
from samesight.conversion.workflow.cache import Cache, code_version, make_key, tool_versions

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
)


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "made"
    (folder / "artifacts" / "x.mlpackage").mkdir(parents=True)
    (folder / "artifacts" / "x.mlpackage" / "weights").write_bytes(b"\0\1\2")
    (folder / "server.json").write_text("{}")
    return folder


def fill(cache, key, made, note=True):
    cache.store(key, made, ["artifacts", "server.json"], note)


def test_what_was_stored_comes_back_with_its_note(tmp_path, made):
    cache, out = Cache(tmp_path / "cache"), tmp_path / "out"
    assert cache.fetch("k", out) is None
    fill(cache, "k", made, {"scale": 0.1})
    assert cache.fetch("k", out) == {"scale": 0.1}
    assert (out / "artifacts/x.mlpackage/weights").read_bytes() == b"\0\1\2"
    assert (out / "server.json").read_text() == "{}"
    assert cache.fetch("other", out) is None


@pytest.mark.parametrize("damage", ["content", "missing", "note", "empty note"])
def test_a_damaged_entry_counts_as_none_and_can_be_made_again(tmp_path, made, damage):
    cache = Cache(tmp_path / "cache")
    fill(cache, "k", made)
    entry = tmp_path / "cache" / "k"
    if damage == "content":
        (entry / "files/artifacts/x.mlpackage/weights").write_bytes(b"\0\1\3")
    elif damage == "missing":
        (entry / "files/server.json").unlink()
    else:
        (entry / "entry.json").write_text("" if damage == "empty note" else "[1")
    assert cache.fetch("k", tmp_path / "out") is None
    assert not (tmp_path / "out").exists()
    fill(cache, "k", made, "again")
    assert cache.fetch("k", tmp_path / "out") == "again"


def test_the_least_recently_used_entries_go_first(tmp_path, made):
    cache = Cache(tmp_path / "cache", limit=10_000)
    (made / "server.json").write_text("x" * 3000)
    for age, key in enumerate(("old", "middle", "young")):
        fill(cache, key, made)
        os.utime(tmp_path / "cache" / key, (1e9 + age, 1e9 + age))
    assert cache.fetch("old", tmp_path / "out") is True
    fill(cache, "new", made)
    kept = {path.name for path in (tmp_path / "cache").iterdir()}
    assert kept == {"old", "young", "new"}


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path, made):
    cache = Cache(tmp_path / "cache")
    fill(cache, "k", made)
    abandoned, begun = tmp_path / "cache/.new-abandoned", tmp_path / "cache/.new-begun"
    abandoned.mkdir()
    begun.mkdir()
    os.utime(abandoned, (1e9, 1e9))
    cache.prune()
    assert not abandoned.exists()
    assert begun.exists()


def _hammer(root, made, number):
    cache = Cache(root, limit=4000)
    for turn in range(30):
        key = f"k{(turn + number) % 3}"
        fill(cache, key, made, key)
        found = cache.fetch(key, made.parent / f"out{number}")
        assert found in (None, key)


def test_concurrent_conversions_share_a_cache(tmp_path, made):
    (made / "server.json").write_text("x" * 1500)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_hammer, args=(tmp_path / "cache", made, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    for entry in (tmp_path / "cache").iterdir():
        assert json.loads((entry / "entry.json").read_text())["note"] == entry.name


def test_an_unwritable_cache_says_so(tmp_path, made):
    (tmp_path / "file").write_text("")
    with pytest.raises(SamesightError, match="file/cache: cannot be written"):
        fill(Cache(tmp_path / "file" / "cache"), "k", made)


def test_a_full_disk_leaves_no_half_entry(small_disk, made):
    (made / "server.json").write_bytes(os.urandom(3_000_000))
    cache = Cache(small_disk / "cache")
    with pytest.raises(SamesightError, match="No space left"):
        fill(cache, "k", made)
    assert list((small_disk / "cache").iterdir()) == []


@given(JSON, JSON)
def test_equal_keys_mean_equal_content(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (make_key(one) == make_key(other)) == same


def test_the_environment_chooses_the_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SAMESIGHT_CACHE", raising=False)
    assert default_root() == tmp_path / "samesight"
    monkeypatch.setenv("SAMESIGHT_CACHE", str(tmp_path / "mine"))
    assert default_root() == tmp_path / "mine"
    monkeypatch.delenv("SAMESIGHT_TOOLS", raising=False)
    assert tools_root() == tmp_path / "samesight-tools"
    monkeypatch.setenv("SAMESIGHT_TOOLS", str(tmp_path / "tools"))
    assert tools_root() == tmp_path / "tools"


def test_keys_know_tools_and_our_own_code():
    assert tool_versions(["numpy", "no-such-package"])["no-such-package"] == "absent"
    assert tool_versions(["numpy"])["numpy"][0].isdigit()
    assert len(code_version()) == 64
