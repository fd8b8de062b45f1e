"""Where `msh` begins. The ProxyCommand goes straight to its work; everything else is a verb.

`ssh`, `scp` and `proxy` end as OpenSSH's programs do: with the status of the other end, or 255 for whatever
failed here.
"""

from __future__ import annotations

import sys
from typing import Final, NoReturn

_AS_OPENSSH: Final = ("ssh", "scp", "proxy")


def main() -> NoReturn:
    words = sys.argv[1:]
    if words[:2] == ["proxy", "ssh"] and len(words) == 3 and not words[2].startswith("-"):
        from mezite.cli.msh.proxy_command import run as connect

        connect(words[2])
    from mezite.cli.msh.verbs import msh
    from mezite.exits import EXIT_OPENSSH, run

    run(msh, "msh", failure=EXIT_OPENSSH if words[:1] and words[0] in _AS_OPENSSH else None)


if __name__ == "__main__":
    main()
