"""A runtime that does what the text of its file says: for tests of what a hostile artifact can do.

`python -m hostile_runtime SCRATCH` serves it as `samesight.conversion.runners.serve` serves the real ones.
"""

import ctypes
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np

from samesight.conversion.runners import RUNNERS, serve
from samesight.conversion.runners.interface import Runner


def _sum(tensor):
    return np.array([[tensor.sum(), 0, 0]], np.float32)


def _raise(tensor):
    raise RuntimeError("no such kernel\nsecond line")


def _reply(data):
    # The descriptor of the replies: the duplicate that `serve.main` made of standard output.
    replies = next(fd for fd in range(3, 64) if _is_pipe_to_write(fd))
    os.write(replies, data)
    os._exit(0)


def _is_pipe_to_write(fd):
    try:
        writes = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        return writes and stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def _ptrace(pid):
    if ctypes.CDLL(None, use_errno=True).ptrace(16, int(pid), 0, 0) < 0:
        raise PermissionError(ctypes.get_errno(), "ptrace")


ACTS = {
    "write": lambda victim, port, pid: Path(victim).write_text("yours"),
    "append": lambda victim, port, pid: Path(victim).open("a").close(),
    "remove": lambda victim, port, pid: Path(victim).unlink(),
    "rename": lambda victim, port, pid: Path(victim).rename(victim + "-made"),
    "make": lambda victim, port, pid: Path(victim + "-made").mkdir(),
    "run": lambda victim, port, pid: subprocess.run(["true"], check=True),
    "connect": lambda victim, port, pid: socket.create_connection(("127.0.0.1", int(port))),
    "udp": lambda victim, port, pid: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "kill": lambda victim, port, pid: os.kill(int(pid), signal.SIGTERM),
    "ptrace": lambda victim, port, pid: _ptrace(pid),
}


class Model:
    qparams: dict = {}  # noqa: RUF012

    def __init__(self, behaviour):
        self.behaviour = behaviour

    def __call__(self, tensor):
        kind, *rest = self.behaviour.split(":")
        if kind == "call":
            os.kill(os.getpid(), getattr(signal, rest[0]))
        elif kind == "raise":
            _raise(tensor)
        elif kind == "garbage":
            _reply(b"\x05\x00\x00\x00hello")
        elif kind == "huge":
            _reply(b"\xff\xff\xff\xff")
        elif kind == "objects":
            header = b'{"arrays": [["logits", "object", [1]]]}'
            _reply(len(header).to_bytes(4, "little") + header)
        elif kind in ACTS:
            ACTS[kind](*rest)
        return {"logits": _sum(tensor)}


def load(path, tensors):
    kind, _, name = path.read_text().partition(":")
    if kind == "load":
        os.kill(os.getpid(), getattr(signal, name))
    return Model(path.read_text())


if __name__ == "__main__":
    RUNNERS["hostile"] = Runner("hostile", "Hostile", ("hostile",), "hostile_runtime", "cpu", ())
    serve.main(sys.argv[1])
