"""Times of Pillow for the benchmark beside it: prints a JSON list, one number of milliseconds per size given.

Usage: pillow_times.py WIDTH HEIGHT ROUNDS PLACE [LEFT TOP RIGHT BOTTOM SCALED_WIDTH SCALED_HEIGHT QUARTER_TURNS]...

Pillow reads no 4:2:0 frame, so its frame has full-size chroma already: a part of the work is given to it for nothing.
"""

import json
import os
import sys
import time

from PIL import Image

TURNS = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}


def work(frame: Image.Image, box: list[int], size: tuple[int, int], turns: int) -> Image.Image:
    """A camera frame as RGB, its part `box` scaled to `size` with antialias, then turned."""
    scaled = frame.convert("RGB").resize(size, Image.Resampling.BILINEAR, box=tuple(box))
    return scaled.transpose(TURNS[turns]) if turns else scaled


def fast_time(frame: Image.Image, case: list[int], rounds: int, place: int) -> float:
    """Milliseconds of the `place`-th fastest of `rounds` runs."""
    box, size, turns = case[:4], (case[4], case[5]), case[6]
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        work(frame, box, size, turns)
        times.append((time.thread_time() - start) * 1000)
    return sorted(times)[place - 1]


def main() -> None:
    """Read the sizes, print the times."""
    width, height, rounds, place, *rest = map(int, sys.argv[1:])
    frame = Image.frombytes("YCbCr", (width, height), os.urandom(3 * width * height))
    cases = [rest[i : i + 7] for i in range(0, len(rest), 7)]
    print(json.dumps([fast_time(frame, case, rounds, place) for case in cases]))


main()
