"""The Swift contract's speed beside Pillow's and torchvision's: `benchmark.py [--rounds N] [--native] [--json]`.

Each is run in turn, on one thread, three times; times are the processor's, so that other programs do not count, and of
three medians the least. `--native` compiles for this very processor, as an iPhone's compiler does for its own; without
it Swift's code is for any x86-64.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch
from torchvision.ops import batched_nms

from samesight.contract.random_images import Generator
from samesight.conversion.setup.swift import Toolchain, find_toolchain

PACKAGE = Path(__file__).parent / "Packages/Contract"
PILLOW = Path(__file__).parents[1] / "android_app/benchmark/src/main/resources/pillow_times.py"
WIDTH, HEIGHT, BOXES, OBJECTS = 1280, 720, 3000, 150
# The part of the stored frame that is seen, what it is scaled to, and quarter turns: as in android_app/benchmark.
JOBS = ((0, 0, 1280, 720, 320, 180, 0), (0, 0, 1280, 720, 320, 180, 1), (325, 45, 955, 675, 224, 224, 0))
JOBS += ((325, 45, 955, 675, 224, 224, 1),)


def swift_times(swift: Toolchain, build: Path, rounds: int) -> dict[str, float]:
    """Milliseconds by name: a job on YUV, the same on BGRA, and so on; last the suppression."""
    command = swift.command(build / "Benchmark", str(rounds))
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: float(number) for name, _, number in (line.partition("\t") for line in lines)}


def pillow_times(rounds: int) -> list[float]:
    """Milliseconds of the jobs in Pillow."""
    sizes = [str(number) for job in JOBS for number in job]
    command = [sys.executable, str(PILLOW), str(WIDTH), str(HEIGHT), str(rounds), str(rounds // 2 + 1), *sizes]
    times: list[float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return times


def suppression_time(rounds: int) -> float:
    """Milliseconds of torchvision's suppression per class, of the boxes that the Swift program draws too."""
    torch.set_num_threads(1)
    generator = Generator(2)
    objects = [[20 + generator.below(500) for _ in range(4)] for _ in range(OBJECTS)]
    moved = [[side + generator.below(9) - 4 for side in objects[i % OBJECTS]] for i in range(BOXES)]
    boxes = torch.tensor([(x, y, x + w / 4, y + h / 4) for x, y, w, h in moved])
    scores = torch.tensor([0.2 + generator.below(1 << 20) / 2e6 for _ in range(BOXES)])
    classes = torch.tensor([i % OBJECTS % 3 for i in range(BOXES)])
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        batched_nms(boxes, scores, classes, 0.5)
        times.append((time.thread_time() - start) * 1000)
    return sorted(times)[rounds // 2]


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description="The Swift contract beside Pillow and torchvision.")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--native", action="store_true", help="compile for this processor (x86-64-v3 on x86)")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    swift = find_toolchain()
    if swift is None:
        sys.exit("no Swift here; `samesight setup swift` installs one")
    native = chosen.native and platform.machine() == "x86_64"
    flags = ["-Xswiftc", "-Xcc", "-Xswiftc", "-march=x86-64-v3"] if native else []
    build = PACKAGE / (".build/native" if native else ".build/benchmark")
    made = swift.command("build", "-c", "release", "--product", "Benchmark", "--scratch-path", build, *flags)
    subprocess.run(made, cwd=PACKAGE, check=True, stdout=sys.stderr)
    runs = [
        (
            swift_times(swift, build / "release", chosen.rounds),
            pillow_times(chosen.rounds),
            suppression_time(chosen.rounds),
        )
        for _ in range(3)
    ]
    ours = {name: min(run[0][name] for run in runs) for name in runs[0][0]}
    others = [min(run[1][i // 2] for run in runs) for i in range(2 * len(JOBS))] + [min(run[2] for run in runs)]
    rows = [
        {"name": name, "milliseconds": mine, "other": other, "ratio": mine / other}
        for (name, mine), other in zip(ours.items(), others, strict=True)
    ]
    if chosen.json:
        print(json.dumps({"swift": swift.version, "native": native, "rows": rows}, indent=2))
        return
    print(f"{'1280 x 720, one thread, milliseconds':<46}{'ours':>8}{'Pillow':>8}{'ratio':>8}")
    for row in rows:
        print(f"{row['name']:<46}{row['milliseconds']:>8.2f}{row['other']:>8.2f}{row['ratio']:>8.2f}")
    print(f"Swift {swift.version}{', for this processor' if native else ''}; suppression beside torchvision's.")


if __name__ == "__main__":
    main()
