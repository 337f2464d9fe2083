"""Takes from this process, for good, what running a model does not need (Linux; elsewhere nothing is taken).

Landlock (https://docs.kernel.org/userspace-api/landlock.html) forbids writing, making and removing files outside of one
folder, executing programs, TCP, and signals to other processes; a seccomp filter
(https://docs.kernel.org/userspace-api/seccomp_filter.html) forbids sockets and looking into other processes. Reading
files stays allowed: runtimes load libraries from many places, and what is read cannot leave.
"""

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, TRUNCATE, REFER, IOCTL_DEV = 1 << 0, 1 << 1, 1 << 14, 1 << 13, 1 << 15
REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
BIND_AND_CONNECT_TCP = 0b11
SCOPE_UNIX_SOCKETS_AND_SIGNALS = 0b11
# Rights that later versions of the interface know, by the version that brought them.
SINCE = {REFER: 2, TRUNCATE: 3, IOCTL_DEV: 5}
NETWORK_SINCE, SCOPE_SINCE = 4, 6

# socket, ptrace, process_vm_readv, process_vm_writev, io_uring_setup: (audit's number of the architecture, calls).
FORBIDDEN_CALLS = {
    "x86_64": (0xC000003E, (41, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271, 425)),
}
SECCOMP_ALLOW, SECCOMP_ERRNO_EACCES = 0x7FFF0000, 0x00050000 | 13


def give_up_rights(scratch: Path, executing: bool = False) -> bool:
    """Restrict this process and all that it starts; only `scratch` and /dev/null can be written from now on.

    `executing` leaves the right to execute programs.

    Returns:
        whether the system could take the rights away; False on systems other than Linux, and on kernels before 5.13.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    files = _restrict_files(libc, scratch, executing)
    return _forbid_calls(libc) and files


def _restrict_files(libc: ctypes.CDLL, scratch: Path, executing: bool) -> bool:
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    writing = WRITE_FILE | REMOVE_AND_MAKE | sum(right for right, since in SINCE.items() if version >= since)
    attributes = struct.pack(
        "<QQQ",
        writing | (0 if executing else EXECUTE),
        BIND_AND_CONNECT_TCP if version >= NETWORK_SINCE else 0,
        SCOPE_UNIX_SOCKETS_AND_SIGNALS if version >= SCOPE_SINCE else 0,
    )
    size = 24 if version >= SCOPE_SINCE else 16 if version >= NETWORK_SINCE else 8
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return False
    try:
        file_rights = WRITE_FILE | (TRUNCATE if version >= SINCE[TRUNCATE] else 0)
        for path, rights in ((scratch, writing), (Path(os.devnull), file_rights)):
            _allow(libc, ruleset, path, rights)
        return bool(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("<Qi", rights, opened)
        libc.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)


def _forbid_calls(libc: ctypes.CDLL) -> bool:
    """A filter of classic BPF instructions (code, jump if true, jump if false, operand)."""
    if platform.machine() not in FORBIDDEN_CALLS:
        return False
    architecture, calls = FORBIDDEN_CALLS[platform.machine()]
    load_word, jump_if_equal, give_back = 0x20, 0x15, 0x06
    instructions = [
        (load_word, 0, 0, 4),
        (jump_if_equal, 1, 0, architecture),
        (give_back, 0, 0, SECCOMP_ERRNO_EACCES),
        (load_word, 0, 0, 0),
        *((jump_if_equal, len(calls) - number, 0, call) for number, call in enumerate(calls)),
        (give_back, 0, 0, SECCOMP_ALLOW),
        (give_back, 0, 0, SECCOMP_ERRNO_EACCES),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(instructions), ctypes.addressof(program)))
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(header), 0, 0) == 0)


if __name__ == "__main__":
    # SCRATCH COMMAND...: a runtime's process that cannot restrict itself, because it is emulated.
    give_up_rights(Path(sys.argv[1]), executing=True)
    os.execv(sys.argv[2], sys.argv[2:])
