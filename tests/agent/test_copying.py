"""Commands that copy: what stock clients send is told from everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.agent.copying import Copy, Direction, Tool, allows, found_in
from mezite.model.role import FileCopy


@pytest.mark.parametrize(
    ("command", "copy"),
    [
        ("scp -t /tmp", Copy(Tool.SCP, Direction.UPLOAD, "/tmp")),
        ("scp -r -p -f -- '/etc/a b'", Copy(Tool.SCP, Direction.DOWNLOAD, "/etc/a b")),
        ("/usr/bin/scp -pt .", Copy(Tool.SCP, Direction.UPLOAD, ".")),
        ("rsync --server -logDtpre.iLsfxCIvu . /srv/", Copy(Tool.RSYNC, Direction.UPLOAD, "/srv/")),
        ("rsync --server --sender -vlr . /srv", Copy(Tool.RSYNC, Direction.DOWNLOAD, "/srv")),
        ("/usr/lib/openssh/sftp-server", Copy(Tool.SFTP, None)),
        ("env rsync --server -l . /srv", Copy(Tool.RSYNC, Direction.UPLOAD, "/srv")),
        ("sudo -u root rsync --server --sender -l . /", Copy(Tool.RSYNC, Direction.DOWNLOAD, "/")),
        ("LC_ALL=C nice -n 5 rsync --server -l . /srv", Copy(Tool.RSYNC, Direction.UPLOAD, "/srv")),
        ("sudo scp -f /etc/x", Copy(Tool.SCP, Direction.DOWNLOAD, "/etc/x")),
        ("sudo /usr/lib/openssh/sftp-server -e", Copy(Tool.SFTP, None)),
        ("sudo grep rsync file", None),
        ("env", None),
        ("scp -f -- FILE -t", Copy(Tool.SCP, Direction.DOWNLOAD, "-t")),
        ("scp -f FILE -t", Copy(Tool.SCP, Direction.DOWNLOAD, "-t")),
        ("scp -t -f FILE", Copy(Tool.SCP, Direction.DOWNLOAD, "FILE")),
        ("scp -l t -f FILE", Copy(Tool.SCP, Direction.DOWNLOAD, "FILE")),
        ("scp -ot -P 22 a b", None),
        ("scp a b", None),
        ("rsync -a a b", None),
        ("echo scp -t x", None),
        ("echo 'unbalanced", None),
        ("", None),
        ("   ", None),
    ],
)
def test_what_a_command_copies(command: str, copy: Copy | None) -> None:
    assert found_in(command) == copy


@given(st.text())
def test_no_command_breaks_it(command: str) -> None:
    found_in(command)


def test_the_rule_for_both_directions() -> None:
    allowed = {rule: {way for way in Direction if allows(rule, way)} for rule in FileCopy}
    assert allowed == {
        FileCopy.ALL: {Direction.UPLOAD, Direction.DOWNLOAD},
        FileCopy.UPLOAD: {Direction.UPLOAD},
        FileCopy.DOWNLOAD: {Direction.DOWNLOAD},
        FileCopy.NONE: set(),
    }
