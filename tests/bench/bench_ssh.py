"""SSH through Mezite beside OpenSSH's own ways to a node behind a firewall, in the same run.

    python tests/bench/bench_ssh.py [MIB] [ROUNDS]

`direct` is ssh to sshd, `jump` a ProxyJump over a second sshd, `reverse` the same over a tunnel that the
node holds open (`ssh -R`), which is the topology of Mezite. All of it on loopback, with the stock ssh client
and no PAM at the peers' sshd. As root it works as a user made for it, with /bin/sh and no start-up files.
"""

from __future__ import annotations

import os
import pty
import pwd
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.demo import Person, log_in, running_demo
from tests.support.hub_process import PASSWORD, program
from tests.support.openssh import keygen, me, running_sshd

MIB = int(sys.argv[1]) if len(sys.argv) > 1 else 256
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
SET_UPS = 2 * ROUNDS + 1
KEYS = 1_000
USER = "mezite-bench"
NODE = "staging-01.mezite"
PATHS = ("direct", "jump", "reverse", "mezite")
PLAIN, GCM, CURVE = "", "Ciphers aes128-gcm@openssh.com\n", "KexAlgorithms curve25519-sha256\n"
ROLE = "kind: role\nmetadata: {name: bench}\nspec: {allow: {node_labels: {'*': '*'}, logins: ['%s']}}\n"


@contextmanager
def somebody() -> Iterator[str]:
    """A login whose shell starts with nothing; only root can make one."""
    if os.geteuid() != 0:
        yield me()
        return
    subprocess.run(["useradd", "-M", "-d", "/", "-s", "/bin/sh", "-p", "*", USER], check=True)
    try:
        yield USER
    finally:
        subprocess.run(["userdel", USER], check=True)


class Lab:
    """Both worlds, up and running; `ssh` is the command line into one of them."""

    def __init__(self, place: Path, user: str, person: Person, ports: dict[str, int]) -> None:
        self._place, self._person = place, person
        self._aliases = {path: path for path in PATHS} | {"mezite": NODE}
        known = f"IdentityFile {place}/id\nUserKnownHostsFile {place}/known_hosts\nUser {user}\n"
        hosts = {
            "jumphost": "",
            "direct": "",
            "jump": "ProxyJump jumphost\n",
            "reverse": "ProxyJump jumphost\n",
        }
        self._peers = "".join(
            f"Host {name}\nHostName 127.0.0.1\nHostKeyAlias peer\nPort {ports[name]}\n{further}{known}"
            for name, further in hosts.items()
        )
        self.environment = person.environment

    def config(self, further: str = PLAIN) -> Path:
        """A configuration of all paths with further lines, also for the ssh that a ProxyJump starts."""
        path = self._place / f"config-{abs(hash(further))}"
        path.write_text(f"{further}{self._peers}{self._person.config.read_text()}")
        return path

    def ssh(self, path: str, *words: str, further: str = PLAIN) -> list[str]:
        return ["ssh", "-F", str(self.config(further)), *words[:-1], self._aliases[path], words[-1]]


@contextmanager
def lab() -> Iterator[Lab]:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mezite-bench-")))
        place.chmod(0o755)
        user = stack.enter_context(somebody())
        for name in ("id", "host"):
            keygen("-q", "-t", "ed25519", "-N", "", "-f", name, place=place)
        (place / "known_hosts").write_text("peer " + (place / "host.pub").read_text())
        settings = {"AuthorizedKeysFile": str(place / "id.pub"), "LogLevel": "INFO", "UseDNS": "no"}
        node = stack.enter_context(running_sshd(place, host_key=place / "host", settings=settings))
        jump = stack.enter_context(running_sshd(place, host_key=place / "host", settings=settings))
        demo = stack.enter_context(running_demo(place / "cluster"))
        demo.add_role(ROLE % user)
        demo.add_user("bench", "bench")
        person = log_in(demo, place, "bench", PASSWORD)
        reverse = _free_port()
        ports = {"direct": node.port, "jump": node.port, "jumphost": jump.port, "reverse": reverse}
        made = Lab(place, user, person, ports)
        tunnel = ["ssh", "-F", str(made.config(GCM)), "-N", "-o", "ExitOnForwardFailure=yes"]
        tunnel += ["-R", f"127.0.0.1:{reverse}:127.0.0.1:{node.port}", "jumphost"]
        process = subprocess.Popen(tunnel, stdin=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        _await_port(reverse)
        yield made


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await_port(port: int) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens at {port}")


def timed(words: list[str], environment: dict[str, str], source: Path | None = None) -> float:
    """Seconds that a program took, its output thrown away."""
    with open(source or os.devnull, "rb") as stdin:
        begun = time.perf_counter()
        ended = subprocess.run(
            words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        took = time.perf_counter() - begun
    if ended.returncode:
        raise SystemExit(f"{words} ended with {ended.returncode}: {ended.stderr.decode()}")
    return took


def in_turn(rounds: int, measure: Callable[[str], float]) -> dict[str, float]:
    """The median of each path, taken turn by turn, so that a busy minute hits all of them."""
    for path in PATHS:
        measure(path)
    found: dict[str, list[float]] = {path: [] for path in PATHS}
    for _ in range(rounds):
        for path in PATHS:
            found[path].append(measure(path))
    return {path: statistics.median(values) for path, values in found.items()}


def key_exchange(at: Lab, path: str, further: str = PLAIN) -> str:
    ended = subprocess.run(
        at.ssh(path, "-v", "true", further=further), capture_output=True, text=True, env=at.environment
    )
    lines = [line for line in ended.stderr.splitlines() if "kex: algorithm:" in line]
    return lines[-1].rpartition(" ")[2] if lines else "?"


def echoes(at: Lab, path: str) -> list[float]:
    """Seconds from each key to its echo, through a raw terminal and cat."""
    primary, secondary = pty.openpty()
    tty.setraw(secondary)
    words = at.ssh(path, "-tt", "stty raw -echo; printf READY; exec cat", further=GCM)
    process = subprocess.Popen(words, stdin=secondary, stdout=secondary, stderr=secondary, env=at.environment)
    os.close(secondary)
    heard = b""
    while b"READY" not in heard:
        if not select.select([primary], [], [], 20)[0]:
            raise SystemExit(f"{path}: no terminal: {heard!r}")
        heard += os.read(primary, 4096)
    took: list[float] = []
    for number in range(KEYS):
        key = bytes([97 + number % 26])
        begun = time.perf_counter()
        os.write(primary, key)
        if os.read(primary, 64) != key:
            raise SystemExit(f"{path}: not the echo of {key!r}")
        took.append(time.perf_counter() - begun)
    process.terminate()
    process.wait()
    os.close(primary)
    return took


def row(
    name: str, values: dict[str, float], unit: str, scale: float, *, more_is_better: bool = False
) -> None:
    cells = "".join(f"{values[path] * scale:10.1f}" for path in PATHS)
    against = " ".join(f"{values['mezite'] / values[path]:.2f}x {path}" for path in ("jump", "reverse"))
    print(f"{name:34}{cells}  {unit:5} {against}{' (more is better)' if more_is_better else ''}")


def set_up(at: Lab) -> None:
    for name, further in (("set-up, ssh's own key exchange", PLAIN), ("set-up, curve25519 for all", CURVE)):

        def once(path: str, further: str = further) -> float:
            return timed(at.ssh(path, "true", further=further), at.environment)

        row(name, in_turn(SET_UPS, once), "ms", 1e3)
        print("   ", ", ".join(f"{path}: {key_exchange(at, path, further)}" for path in PATHS))


def bulk(at: Lab, place: Path) -> None:
    data = place / "data"
    with data.open("wb") as file:
        for _ in range(MIB):
            file.write(os.urandom(1024 * 1024))
    data.chmod(0o644)
    size = MIB * 1024 * 1024 / 1e6

    def down(path: str) -> float:
        return size / timed(at.ssh(path, f"cat {data}", further=GCM), at.environment)

    def up(path: str) -> float:
        return size / timed(at.ssh(path, "cat > /dev/null", further=GCM), at.environment, data)

    row(f"down, {MIB} MiB, aes128-gcm", in_turn(ROUNDS, down), "MB/s", 1, more_is_better=True)
    row(f"up, {MIB} MiB, aes128-gcm", in_turn(ROUNDS, up), "MB/s", 1, more_is_better=True)


def echo(at: Lab) -> None:
    found: dict[str, list[float]] = {path: [] for path in PATHS}
    for _ in range(ROUNDS):
        for path in PATHS:
            found[path] += echoes(at, path)
    ordered = {path: sorted(values) for path, values in found.items()}
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        values = {path: each[int(len(each) * part)] for path, each in ordered.items()}
        row(f"echo of a key, {name}", values, "us", 1e6)


def proxy_command(at: Lab) -> None:
    """The ProxyCommand alone, from its start to its end, handing its descriptor over."""

    def once() -> float:
        near, far = socket.socketpair()
        with near, far:
            begun = time.perf_counter()
            process = subprocess.Popen(
                [*program("msh"), "proxy", "ssh", f"{NODE}:22"],
                stdin=far.fileno(),
                stdout=far.fileno(),
                env=at.environment,
            )
            _, descriptors, _, _ = socket.recv_fds(near, 1, 1)
            process.wait()
            took = time.perf_counter() - begun
        for descriptor in descriptors:
            os.close(descriptor)
        return took

    ours = statistics.median(once() for _ in range(SET_UPS))
    python = statistics.median(timed([sys.executable, "-c", "pass"], at.environment) for _ in range(SET_UPS))
    print(f"the ProxyCommand alone: {ours * 1e3:.1f} ms, of which Python itself {python * 1e3:.1f} ms")


def main() -> None:
    cores, now = os.cpu_count(), time.strftime("%Y-%m-%d")
    print(
        f"{cores} cores, {now}, {pwd.getpwuid(os.geteuid()).pw_name}; load {os.getloadavg()[0]:.1f}; medians"
    )
    with lab() as at, tempfile.TemporaryDirectory(prefix="mezite-bench-", dir="/dev/shm") as shm:
        Path(shm).chmod(0o755)
        print(f"{'':34}{''.join(f'{path:>10}' for path in PATHS)}")
        set_up(at)
        bulk(at, Path(shm))
        echo(at)
        proxy_command(at)


if __name__ == "__main__":
    main()
