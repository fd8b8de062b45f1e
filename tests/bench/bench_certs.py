"""How many certificates one core signs and judges in a second, beside `ssh-keygen -s` in the same run.

    python tests/bench/bench_certs.py [SECONDS]

SECONDS is for each line. Without storage: what an audited certificate costs in all is for `bench_store.py`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mezite.ca.keys import new_leaf_key
from mezite.ca.ssh_certs import check_user, issue_user
from mezite.ca.ssh_keys import public_line
from mezite.ca.tls_authority import to_pem
from mezite.ca.tls_certs import check_client, issue_client
from tests.support.authorities import ALICE, CLUSTER, NOW, public, ssh_authority, tls
from tests.support.openssh import MISSING, keygen, write_private

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0


def per_second(act: Callable[[], object]) -> float:
    """Of this core's time, so that what else runs on the machine does not count against us."""
    act()
    done, began = 0, time.process_time()
    while (spent := time.process_time() - began) < SECONDS:
        act()
        done += 1
    return done / spent


def per_second_on_the_wall(act: Callable[[], object]) -> float:
    """For work done by other processes, whose time is not ours."""
    act()
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < SECONDS:
        act()
        done += 1
    return done / spent


def main() -> None:
    user = Ed25519PrivateKey.generate().public_key()
    leaf = new_leaf_key().public_key()
    authority, tls_authority = ssh_authority(), tls()

    def ssh() -> str:
        return issue_user(authority, ALICE, public_key=user, cluster=CLUSTER, principals=["alice", "root"])

    def twin() -> bytes:
        return to_pem(issue_client(tls_authority, ALICE, public_key=leaf, cluster=CLUSTER))

    line, pem, trusted = ssh(), twin(), [public(authority)]
    ours = per_second(ssh)
    print(f"SSH certificate issued               {ours:9.0f} a second of one core")
    print(f"X.509 certificate issued             {per_second(twin):9.0f}")
    print(f"both, as a login does                {per_second(lambda: (ssh(), twin())):9.0f}")
    judged = per_second(lambda: check_user(line, trusted=trusted, cluster=CLUSTER, now=NOW))
    print(f"SSH certificate judged               {judged:9.0f}")
    roots = [tls_authority.certificate]
    judged = per_second(lambda: check_client(pem, trusted=roots, cluster=CLUSTER, now=NOW))
    print(f"X.509 certificate judged             {judged:9.0f}")
    if MISSING:
        print(f"ssh-keygen -s: left out, {MISSING}")
        return
    with tempfile.TemporaryDirectory() as place:
        theirs = ssh_keygen(Path(place), public_line(user))
    print(f"ssh-keygen -s, a process each        {theirs:9.0f}   ours is {ours / theirs:.0f} times that")


def ssh_keygen(place: Path, line: str) -> float:
    private = ssh_authority().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    write_private(place / "ca", private)
    (place / "id.pub").write_text(f"{line}\n")
    terms = ["-s", "ca", "-I", "alice", "-n", "alice,root", "-V", "+12h", "-z", "7"]
    roles = ["-O", 'extension:mezite-roles@mezite.dev=["access","ssh-production"]']
    return per_second_on_the_wall(lambda: keygen("-q", *terms, *roles, "id.pub", place=place))


if __name__ == "__main__":
    main()
