"""Runs a command that does not outlive who started it: `python -I -S leash.py PID COMMAND ...`.

The kernel sends SIGTERM to what this becomes when PID, its parent, is gone. A process of its own sets that
up, because code of ours between fork and exec would run in a copy of a process whose other threads (gRPC's)
are missing, and now and then hold a lock for ever. Nothing but the standard library, not even our own
package: five of these start one after another under `mezite demo`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        sys.exit(f"the kernel arranges no end with process {parent}: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit(f"process {parent} is gone already")
    # Kept over exec, as long as the program there has no rights of its own.
    os.execv(command[0], command)  # noqa: S606  # the command is our own starter's, as a list


if __name__ == "__main__":
    main()
