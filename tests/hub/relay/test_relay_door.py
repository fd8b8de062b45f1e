"""Who may speak to a relay, what it makes of garbage, and how it ends."""

from __future__ import annotations

import os
import pwd
import resource
import select
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from daemons.hub.relay import wire
from daemons.hub.relay.main import EXIT_OCCUPIED
from daemons.hub.relay.wire import (
    Cut,
    Drain,
    End,
    Ended,
    Heard,
    Hello,
    List,
    Pairs,
    Ready,
    Refusal,
    Refused,
    Take,
)
from tests.support.relays import HubEnd, RelayProcess, connected, new_pair, relay_process

ANOTHER_PYTHON = shutil.which("python3", path="/usr/bin")
CONNECT = """
import socket, sys
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect(f"/proc/self/fd/{sys.argv[1]}/relay.sock")
try:
    peer.send(bytes.fromhex("010001"))
    print(peer.recv(100))
except (BrokenPipeError, ConnectionResetError):
    print(b"")
"""


def test_its_socket_is_its_user_s_alone(relay: RelayProcess) -> None:
    assert relay.path.stat().st_mode & 0o777 == 0o600
    assert relay.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
@pytest.mark.skipif(ANOTHER_PYTHON is None, reason="no Python that another user can start")
def test_another_user_is_turned_away_whatever_the_file_modes_say(relay: RelayProcess) -> None:
    relay.path.parent.chmod(0o711)
    relay.path.chmod(0o666)
    directory = os.open(relay.path.parent, os.O_RDONLY)
    told = subprocess.run(
        [ANOTHER_PYTHON or "", "-c", CONNECT, str(directory)],
        user=pwd.getpwnam("nobody").pw_uid,
        group=pwd.getpwnam("nobody").pw_gid,
        pass_fds=[directory],
        capture_output=True,
        text=True,
    )
    os.close(directory)
    assert told.stdout == "b''\n", told.stderr
    assert relay.hub().ready.pairs == 0


@pytest.mark.parametrize(
    "packet",
    [
        b"\x00",
        b"\xff" * 64,
        b"\x03short",
        bytes(wire.LARGEST + 1),
        wire.encode(Cut(bytes(16))),
        wire.encode(List()),
        wire.encode(Ready(1, 1, 0, draining=False, release="")),
    ],
    ids=["zero", "noise", "half", "too long", "cut before hello", "list before hello", "a relay's word"],
)
def test_whoever_says_what_is_no_greeting_is_hung_up_on(relay: RelayProcess, packet: bytes) -> None:
    stranger = HubEnd(relay.path, greet=False)
    stranger.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * wire.LARGEST)
    stranger.socket.send(packet)
    assert stranger.hears_the_end()
    assert relay.hub().ready.pairs == 0


@pytest.mark.parametrize("message", [Hello(wire.PROTOCOL), Ended(bytes(16), 0, 0, End.CUT)])
def test_nonsense_after_the_greeting_too(relay: RelayProcess, hub: HubEnd, message: wire.Message) -> None:
    pair = new_pair()
    hub.take(pair)
    hub.say(message)
    assert hub.hears_the_end()
    pair.client.sendall(b"unharmed")
    assert pair.agent.recv(100) == b"unharmed"


def test_a_hub_of_another_age_is_told_so_and_let_go(relay: RelayProcess) -> None:
    hub = HubEnd(relay.path, greet=False)
    hub.say(Hello(wire.PROTOCOL + 1))
    assert hub.hear(Ready).protocol == wire.PROTOCOL
    assert hub.hears_the_end()


def test_only_two_stream_sockets_make_a_pair(relay: RelayProcess, hub: HubEnd, tmp_path: Path) -> None:
    before = relay.descriptors()
    order = Take(bytes(range(16)), b"", b"")
    refused = Refused(order.pair, Refusal.DESCRIPTORS)
    near, _far = connected()
    with (tmp_path / "file").open("w") as file, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        one, text, packets = near.fileno(), file.fileno(), datagrams.fileno()
        for descriptors in ([], [one], [one, one, one], [one, text], [text, one], [one, packets]):
            hub.say(order, descriptors)
            assert hub.hear(Refused) == refused
    with socket.socket() as unconnected:
        hub.say(order, [near.fileno(), unconnected.fileno()])
        hub.socket.recv(100)
    hub.say(List())
    while not isinstance(wire.decode(hub.socket.recv(wire.LARGEST)), Pairs):
        pass
    assert relay.descriptors() <= before + 2


def test_descriptors_that_nobody_asked_for_are_closed(relay: RelayProcess, hub: HubEnd) -> None:
    other = relay.hub()
    before = relay.descriptors()
    near, far = connected()
    hub.say(List(), [far.fileno()])
    far.close()
    assert hub.hears_the_end()
    assert near.recv(1) == b""
    assert other.ready.pairs == 0
    assert relay.descriptors() == before - 1


def ask_for_ever(hub: HubEnd) -> NoReturn:
    while True:
        hub.say(List())


def test_a_hub_that_does_not_read_is_hung_up_on_and_told_later(relay: RelayProcess, hub: HubEnd) -> None:
    pair = new_pair()
    hub.take(pair)
    with pytest.raises(OSError, match=r"Broken pipe|reset by peer"):
        ask_for_ever(hub)
    pair.close()
    assert relay.hub().hear(Ended).pair == pair.id


def test_an_id_is_taken_once(hub: HubEnd) -> None:
    pair, again = new_pair(), new_pair()
    again.id = pair.id
    hub.take(pair)
    hub.say(Take(again.id, b"", b""), [again.to_client.fileno(), again.to_agent.fileno()])
    assert hub.hear(Refused) == Refused(pair.id, Refusal.KNOWN)


def test_a_full_relay_says_so_and_harms_nobody(tmp_path: Path) -> None:
    with relay_process(tmp_path / "relays", limit=(64, 200)) as relay:
        hub = relay.hub()
        pairs = [new_pair() for _ in range(4)]
        for pair in pairs:
            hub.take(pair)
        more = new_pair()
        hub.say(Take(more.id, b"", b""), [more.to_client.fileno(), more.to_agent.fileno()])
        assert hub.hear(Refused) == Refused(more.id, Refusal.FULL)
        for pair in pairs:
            pair.client.sendall(b"well")
            assert pair.agent.recv(100) == b"well"


def test_descriptors_that_find_no_room_are_a_refusal(tmp_path: Path) -> None:
    with relay_process(tmp_path / "relays", limit=(64, 210)) as relay:
        hub = relay.hub()
        hub.say(List())
        assert not hub.hear(Pairs).entries
        few = relay.descriptors() + 1
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (few, 210))
        before = relay.descriptors()
        more = new_pair()
        hub.say(Take(more.id, b"", b""), [more.to_client.fileno(), more.to_agent.fileno()])
        assert hub.hear(Refused) == Refused(more.id, Refusal.DESCRIPTORS)
        assert relay.descriptors() == before
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (210, 210))
        hub.take(more)


def test_another_hub_learns_what_there_is_and_what_has_ended(relay: RelayProcess, hub: HubEnd) -> None:
    stays, ends = new_pair(), new_pair()
    hub.take(stays)
    hub.take(ends)
    hub.socket.close()
    ends.client.sendall(b"last words")
    ends.client.close()
    assert ends.agent.recv(100) == b"last words"
    ends.agent.close()

    successor = relay.hub()
    assert successor.hear(Ended) == Ended(ends.id, len(b"last words"), 0, End.CLOSED)
    successor.say(List())
    assert [entry.pair for entry in successor.hear(Pairs).entries] == [stays.id]
    successor.socket.close()

    third = relay.hub()
    assert third.hear(Ended).pair == ends.id, "it was not said that it was heard"
    third.say(Heard(ends.id))
    third.socket.close()
    fourth = relay.hub()
    fourth.say(List())
    assert [entry.pair for entry in fourth.hear(Pairs).entries] == [stays.id]


def test_it_drains_and_ends_with_its_last_pair(relay: RelayProcess, hub: HubEnd) -> None:
    last, late = new_pair(), new_pair()
    hub.take(last)
    hub.say(Drain(at_once=False))
    hub.say(Take(late.id, b"", b""), [late.to_client.fileno(), late.to_agent.fileno()])
    assert hub.hear(Refused) == Refused(late.id, Refusal.DRAINING)
    last.client.sendall(b"goes on")
    assert last.agent.recv(100) == b"goes on"
    last.client.close()
    last.agent.close()
    assert hub.hear(Ended).pair == last.id
    hub.say(Heard(last.id))
    assert relay.ends() == 0
    assert not relay.path.exists()


def test_told_to_end_it_ends_its_pairs(relay: RelayProcess, hub: HubEnd) -> None:
    pair = new_pair()
    hub.take(pair)
    hub.say(Drain(at_once=True))
    assert hub.hear(Ended) == Ended(pair.id, 0, 0, End.STOPPED)
    hub.say(Heard(pair.id))
    assert relay.ends() == 0
    with pytest.raises(ConnectionResetError):
        pair.client.recv(1)


def test_a_signal_drains_and_a_second_ends(relay: RelayProcess, hub: HubEnd) -> None:
    pair = new_pair()
    hub.take(pair)
    relay.process.send_signal(signal.SIGTERM)
    while not relay.hub().ready.draining:
        pass
    pair.client.sendall(b"goes on")
    assert pair.agent.recv(100) == b"goes on"
    relay.process.send_signal(signal.SIGTERM)
    assert hub.hear(Ended).end is End.STOPPED
    hub.socket.close()
    assert relay.ends() == 0


def test_with_neither_hub_nor_pairs_it_ends_in_time(tmp_path: Path) -> None:
    with relay_process(tmp_path / "relays", "--idle-s", "0.2") as relay:
        hub, pair = relay.hub(), new_pair()
        hub.take(pair)
        hub.socket.close()
        ended = os.pidfd_open(relay.process.pid)
        assert not select.select([ended], [], [], 0.6)[0], "it has a pair"
        os.close(ended)
        pair.close()
        assert relay.ends() == 0


def test_it_ends_with_another_process(tmp_path: Path) -> None:
    other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    with relay_process(tmp_path / "relays", "--end-with", str(other.pid)) as relay:
        hub, pair = relay.hub(), new_pair()
        hub.take(pair)
        other.kill()
        other.communicate()
        assert relay.ends() == 0
        with pytest.raises(ConnectionResetError):
            pair.client.recv(1)


def test_an_end_that_never_falls_silent_is_left_after_a_while(tmp_path: Path) -> None:
    with relay_process(tmp_path / "relays", "--linger-s", "0.1") as relay:
        hub, pair = relay.hub(), new_pair()
        hub.take(pair)
        pair.client.sendall(b"unread")
        assert select.select([pair.agent], [], [], 30)[0]
        pair.agent.close()
        assert pair.client.recv(1) == b""
        assert hub.hear(Ended) == Ended(pair.id, len(b"unread"), 0, End.BROKEN)


def test_a_name_is_one_relay_s(relay: RelayProcess) -> None:
    command = [*relay.process.args] if isinstance(relay.process.args, list) else []
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == EXIT_OCCUPIED
    assert second.stderr == "mezite-relay relay: another relay has this name\n"
    assert relay.hub().ready.pairs == 0


def test_what_a_dead_relay_left_stops_no_other(tmp_path: Path) -> None:
    with relay_process(tmp_path / "relays") as first:
        first.process.kill()
        first.ends()
        assert first.path.exists()
    with relay_process(tmp_path / "relays") as second:
        assert second.hub().ready.pid == second.process.pid


def test_however_deep_its_directory_lies(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 8)
    with relay_process(deep) as relay:
        assert relay.hub().ready.pairs == 0
