"""Becomes another program that dies with its parent: `python guard.py PARENT_PID COMMAND ARGUMENT…`.

On Linux the kernel kills it when the thread that started it ends, however it ended. Elsewhere nothing does. A
program of its own, because code between fork and exec may deadlock in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; survives exec, is not inherited by children


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent_pid, *command = sys.argv[1:]
    if (
        sys.platform == "linux"
        and ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0) != 0
    ):
        sys.exit("The kernel refused PR_SET_PDEATHSIG.")
    # A parent that died before the call above can send no signal any more.
    if os.getppid() != int(parent_pid):
        sys.exit("The process that wanted this one is gone.")
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming that program is the point
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}.")


if __name__ == "__main__":
    main()
