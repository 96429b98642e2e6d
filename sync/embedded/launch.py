"""Becomes a part of the stack: ``python -m sync.embedded.launch [options] -- command…``.

Started by ``process.start``. It forks, so that the part is nobody's child (no zombies, no handle to keep), writes the
part's name (id, start, command) to a file before the part begins, and exits. The fork makes sure that the stack that
started it still lives, drops root's rights where asked, and replaces itself with the command. All of this happens in
a process of its own because code between fork and exec of a threaded parent may deadlock.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import pwd
import sys
from collections.abc import Sequence
from pathlib import Path

from sync.embedded.process import Child, load, save, start_mark

_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: Sequence[str]) -> None:
    """Parse ``arguments`` and start the command; without ``--pid-file`` become it, in the foreground."""
    parser = argparse.ArgumentParser(prog="launch")
    parser.add_argument("--pid-file", type=Path)
    parser.add_argument("--user")
    parser.add_argument("--parent", type=int)
    parser.add_argument("--parent-mark")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    if options.pid_file is not None:
        detach(options.pid_file, tuple(options.command))
    # After the name was written: an owner that dies from now on is seen by the watchdog, one that died before, here.
    if options.parent is not None and start_mark(options.parent) != options.parent_mark:
        sys.exit("the stack that started this part has ended")
    if options.user is not None and os.geteuid() == 0:
        become(options.user)
    try:
        os.execvpe(options.command[0], options.command, os.environ)
    except OSError as error:
        sys.exit(f"cannot run {options.command[0]}: {error.strerror}")


def detach(pid_file: Path, command: tuple[str, ...]) -> None:
    """Fork; the parent writes the child's name and exits, the child returns once it is written."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid != 0:
        mark = start_mark(pid)
        assert mark is not None, "the child waits for the pipe"
        save(pid_file, Child(pid, mark, command))
        os._exit(0)
    os.close(tell)
    os.read(told, 1)
    os.close(told)
    child = load(pid_file)
    if child is None or child.pid != os.getpid():
        sys.exit("the launcher was ended before it had written down this process")


def become(user: str) -> None:
    """Change from root to ``user`` for good, keeping on Linux the one right to open files that root may open.

    PostgreSQL refuses to run as root, but its programs and data may lie where only root may go (a home directory,
    a test's temporary directory). Where the capability isn't to be had, the change is made without it.
    """
    account = pwd.getpwnam(user)
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is not None:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ["HOME"] = account.pw_dir
    os.environ["USER"] = os.environ["LOGNAME"] = user
    if libc is not None:
        with contextlib.suppress(AttributeError):
            _keep_file_access(libc)


def _keep_file_access(libc: ctypes.CDLL) -> None:
    """Keep CAP_DAC_OVERRIDE across exec: capset(2) and prctl(2), PR_CAP_AMBIENT."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << _CAP_DAC_OVERRIDE
    # effective, permitted, inheritable for capabilities 0–31, then for 32–63
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(ctypes.byref(header), ctypes.byref(data)) == 0:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
