"""Runs the zoo: a process per architecture, several at once here or, through Ray, on several hosts."""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, UsageError, first_line
from samesight.conversion.child_process import child_environment, death_reason
from samesight.conversion.runners import RUNNERS
from samesight.conversion.workflow.cache import code_version, make_key, tool_versions
from samesight.conversion.zoo.result import Result, Wishes, read_result, write_result
from samesight.conversion.zoo.table import Architecture

JUDGE = "samesight.conversion.zoo.judge"
TOOLS = ("torch", "torchvision", "timm", "torchao", "executorch", "litert-torch", "coremltools", "coreai-torch", "onnx")
LONGEST = 1800.0
"""Seconds after which an architecture is given up."""
TAIL = 4000

OnResult = Callable[[Result, bool], None]


def run_zoo(
    rows: Sequence[Architecture],
    folder: Path,
    processes: int = 1,
    wishes: Wishes = Wishes(),  # noqa: B008 (frozen)
    ray_address: str | None = None,
    on_result: OnResult = lambda result, cached: None,
) -> list[Result]:
    """Judge architectures; those whose result is in the folder already, made by the same code and tools, are kept.

    Args:
        rows: which.
        folder: of the results; made where it is missing.
        processes: how many at once.
        wishes: the formats and precisions, and whether with published weights where a library has them.
        ray_address: of a Ray cluster (`auto`, `local`, or host:port) that does the work; its hosts need this package.
        on_result: called with each result as it comes, and whether it was there already.

    Raises:
        UsageError: Ray is asked for and not installed.
        SamesightError: the folder cannot be written, or Ray cannot be reached.
    """
    if ray_address is not None and importlib.util.find_spec("ray") is None:
        raise UsageError("--ray needs Ray, which is not installed; pip install 'samesight[ray]'")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SamesightError(f"{folder}: {error.strerror or error}; choose another --out") from None
    key = result_key(wishes)
    results: dict[str, Result] = {}
    missing: list[Architecture] = []
    for row in rows:
        earlier = read_result(folder, row.title, key)
        if earlier is None:
            missing.append(row)
        else:
            results[row.title] = earlier
            on_result(earlier, True)
    work = _here(missing, key, wishes, processes) if ray_address is None else _on_ray(missing, key, wishes, ray_address)
    for result in work:
        write_result(folder, result)
        results[result.title] = result
        on_result(result, False)
    return [results[row.title] for row in rows]


def result_key(wishes: Wishes) -> str:
    """What the figures depend on: our code, the tools' versions, the kind of weights, the formats."""
    packages = {package for runner in RUNNERS.values() for package in runner.packages}
    return make_key(
        {"zoo": code_version(), "tools": tool_versions({*packages, *TOOLS}), "wishes": wishes.model_dump_json()}
    )


def judge_in_process(title: str, key: str, wishes: Wishes) -> Result:
    """Judge one architecture in a process of its own: whatever it dies of, or hangs at, is its result."""
    with tempfile.TemporaryDirectory(prefix="samesight-") as name:
        folder = Path(name)
        command = [sys.executable, "-P", "-m", JUDGE, title, name, key, wishes.model_dump_json()]
        environment = child_environment() | ({} if wishes.pretrained else {"HF_HUB_OFFLINE": "1"})
        try:
            done = subprocess.run(command, capture_output=True, env=environment, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            return Result(title=title, key=key, error=f"did not end within {LONGEST / 60:.0f} minutes")
        result = read_result(folder, title, key) if done.returncode == 0 else None
        if result is not None:
            return result
        reason = death_reason(done.returncode, done.stderr[-TAIL:])
        return Result(title=title, key=key, error=f"its process {reason}")


def _here(rows: Sequence[Architecture], key: str, wishes: Wishes, processes: int) -> Iterator[Result]:
    with ThreadPoolExecutor(max(1, processes)) as pool:
        try:
            futures = [pool.submit(judge_in_process, row.title, key, wishes) for row in rows]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _on_ray(rows: Sequence[Architecture], key: str, wishes: Wishes, address: str) -> Iterator[Result]:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except Exception as error:  # Ray raises ConnectionError, ValueError and kinds of its own
        raise SamesightError(
            f"--ray {address}: cannot be reached ({first_line(error)}); start one by `ray start`"
        ) from None
    try:
        remote: Any = ray.remote(num_cpus=1, max_retries=2)(_judge_remotely)
        pending = {remote.remote(row.title, key, wishes): row for row in rows}
        while pending:
            (done, *_), _ = ray.wait(list(pending), num_returns=1)
            row = pending.pop(done)
            try:
                yield Result.model_validate_json(ray.get(done))
            except Exception as error:
                # Ray wraps what was raised there, behind a traceback.
                cause = getattr(error, "cause", None) or error
                yield Result(title=row.title, key=key, error=f"its host failed: {first_line(cause)}")
    finally:
        ray.shutdown()


def _judge_remotely(title: str, key: str, wishes: Wishes) -> str:
    """On a host of the cluster. The result as JSON."""
    return judge_in_process(title, key, wishes).to_json()
