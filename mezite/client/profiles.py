"""Profiles on disk: `~/.mezite/profiles/<proxy>/`, the name of the active one, and OpenSSH's known_hosts.

    profiles/<proxy>  →  profiles/.<proxy>.<random>/     one whole profile
        profile.json                                     the plain facts
        keys/ssh_key  ssh_key.pub  ssh_key-cert.pub  tls_key.pem  tls_cert.pem
        ca/tls.pem  ca/hosts
    current                                              directory name of the active profile
    known_hosts                                          made from the profiles, never read back

1. A profile is written beside the old one and takes its place by the renaming of one link: keys and
   certificates of a login become visible together, and a writer killed half-way leaves the old ones usable.
2. A reader follows the link once and reads everything from there.
3. What does not read as a profile, or does not have the digests that were written, is "damaged": one line
   that says how to mend it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from mezite.client import home as files
from mezite.client.known_hosts import authority_lines, known_hosts
from mezite.client.profile import Keys, Profile, describe, digests, directory_name, understand
from mezite.errors import CallerError, NotFound, NotLoggedIn
from mezite.plain import cut

_KEY_FILES: Final = {
    "ssh_key": "keys/ssh_key",
    "ssh_public": "keys/ssh_key.pub",
    "ssh_certificate": "keys/ssh_key-cert.pub",
    "tls_key": "keys/tls_key.pem",
    "tls_certificate": "keys/tls_cert.pem",
}
LONGEST_SHOWN: Final = 80
_FACTS: Final = "profile.json"
_TLS_AUTHORITIES: Final = "ca/tls.pem"
_HOST_AUTHORITIES: Final = "ca/hosts"
_PARTS: Final = frozenset((*_KEY_FILES.values(), _TLS_AUTHORITIES, _HOST_AUTHORITIES))


class Profiles:
    """All profiles of this user. Cheap to make; every call reads the disk as it is then."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or files.home()
        self._directory = self.home / "profiles"

    def path(self, profile: Profile) -> Path:
        """Where other programs find the files of a profile; stays the same over all logins."""
        return self._directory / profile.name

    def names(self) -> tuple[str, ...]:
        try:
            entries = sorted(entry.name for entry in self._directory.iterdir())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise CallerError(f"cannot read {self._directory}: {error.strerror}") from None
        return tuple(name for name in entries if not name.startswith("."))

    def current(self) -> str | None:
        """The directory name of the active profile, if there is one."""
        try:
            return files.read(self.home / "current").strip() or None
        except FileNotFoundError:
            return None
        except PermissionError:
            raise _unreadable(self.home / "current") from None
        except (OSError, ValueError):
            raise CallerError(
                f"{self.home / 'current'} is damaged; choose a profile with: msh profiles use PROXY"
            ) from None

    def active(self) -> Profile | None:
        """The active profile; None when there is none."""
        name = self.current()
        return self.find(name) if name else None

    def find(self, proxy: str) -> Profile | None:
        """The profile of `proxy`; None when there is none.

        Raises `NotLoggedIn` when it is damaged, another `CallerError` when this OS user may not read it.
        """
        name = directory_name(proxy)
        for _ in range(5):
            try:
                where = self._directory / os.readlink(self._directory / name)
            except FileNotFoundError:
                return None
            except PermissionError:
                raise _unreadable(self._directory) from None
            except OSError:
                raise _damaged(name, "it is not a profile of ours") from None
            try:
                return _read(where)
            except FileNotFoundError as missing:
                # Replaced between the look at the link and the read: look again.
                if self._moved_on(name, where):
                    continue
                raise _damaged(name, f"{Path(missing.filename).name} is missing") from None
            except PermissionError as error:
                raise _unreadable(Path(error.filename)) from None
            except OSError as error:
                raise _damaged(name, f"it cannot be read: {error.strerror}") from None
            except (ValueError, RecursionError) as error:
                raise _damaged(name, str(error)) from None
        raise _damaged(name, "it keeps changing")

    def save(self, profile: Profile, *, activate: bool = True) -> None:
        """Makes `profile` the profile of its proxy, all of it at once."""
        with self._writing():
            files.prepare(self._directory)
            self._replace(profile)
            if activate:
                files.write(self.home / "current", profile.name + "\n")
            self._write_known_hosts()

    def forget_login(self, proxy: str) -> Profile | None:
        """Removes keys and certificates, and tells what was there; the hub stays known.

        A damaged profile is removed whole: whatever of its keys is left must go too.
        """
        try:
            profile = self.find(proxy)
        except NotLoggedIn:
            with self._writing():
                name = directory_name(proxy)
                (self._directory / name).unlink()
                self._sweep(name, keep="")
            return None
        if profile and profile.login:
            self.save(replace(profile, login=None), activate=False)
        return profile

    def use(self, proxy: str) -> Profile:
        """Makes the profile of `proxy` the active one."""
        profile = self.find(proxy)
        if profile is None:
            known = ", ".join(self.names()) or "none"
            raise NotFound(
                f"there is no profile for {cut(proxy, LONGEST_SHOWN)}; known are: {known}", code="no_profile"
            )
        with self._writing():
            files.write(self.home / "current", profile.name + "\n")
            self._write_known_hosts()
        return profile

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with files.exclusive(self.home):
                yield
        except OSError as error:
            raise CallerError(
                f"cannot write below {self.home}: {error.strerror}", code="home_unusable"
            ) from None

    def _replace(self, profile: Profile) -> None:
        from shutil import rmtree

        fresh = self._directory / f".{profile.name}.{os.urandom(8).hex()}"
        try:
            _write(fresh, profile)
            link = self._directory / f"{fresh.name}.link"
            link.symlink_to(fresh.name)
            link.replace(self._directory / profile.name)
        except BaseException:
            rmtree(fresh, ignore_errors=True)
            fresh.with_name(f"{fresh.name}.link").unlink(missing_ok=True)
            raise
        files.sync_directory(self._directory)
        self._sweep(profile.name, keep=fresh.name)

    def _sweep(self, name: str, *, keep: str) -> None:
        """Removes what earlier logins left, also of writers that were killed. Only under the lock."""
        from shutil import rmtree

        left = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}(\.link)?")
        for entry in self._directory.iterdir():
            if entry.name == keep or not left.fullmatch(entry.name):
                continue
            if entry.is_symlink():
                entry.unlink()
            else:
                rmtree(entry, ignore_errors=True)

    def _moved_on(self, name: str, where: Path) -> bool:
        try:
            return os.readlink(self._directory / name) != where.name
        except OSError:
            return True

    def _write_known_hosts(self) -> None:
        found: list[Profile] = []
        for name in self.names():
            try:
                profile = self.find(name)
            except CallerError:
                continue  # a damaged profile must not take the others' known_hosts with it
            if profile:
                found.append(profile)
        active = self.current()
        files.write(self.home / "known_hosts", known_hosts(found, active))


def _read(where: Path) -> Profile:
    files.check_owner(where)
    facts = files.read(where / _FACTS)
    written = {path: digest for path, digest in digests(facts).items() if path in _PARTS}
    parts = {path: files.read(where / path) for path in written}
    for path, text in parts.items():
        if _digest(text) != written[path]:
            raise ValueError(f"{path} is not what was written")
    if _TLS_AUTHORITIES not in parts:
        raise ValueError(f"{_TLS_AUTHORITIES} is missing")
    has_keys = set(_KEY_FILES.values()) <= parts.keys()
    keys = Keys(**{field: parts[path] for field, path in _KEY_FILES.items()}) if has_keys else None
    return understand(facts, parts[_TLS_AUTHORITIES], keys)


def _write(where: Path, profile: Profile) -> None:
    parts = _parts(profile)
    where.mkdir(mode=0o700)
    folders = {(where / path).parent for path in parts}
    for folder in folders:
        folder.mkdir(mode=0o700)
    for path, text in parts.items():
        files.write_fresh(where / path, text)
    files.write_fresh(
        where / _FACTS, describe(profile, {path: _digest(text) for path, text in parts.items()})
    )
    for folder in folders:
        files.sync_directory(folder)
    files.sync_directory(where)


def _parts(profile: Profile) -> dict[str, str]:
    """Every file of a profile but the one that describes it."""
    parts = {
        _TLS_AUTHORITIES: profile.hub.tls_authorities,
        _HOST_AUTHORITIES: authority_lines(profile.hub, bare_names=True),
    }
    if profile.login:
        keys = profile.login.keys
        parts |= {path: getattr(keys, field) for field, path in _KEY_FILES.items()}
    return parts


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unreadable(path: Path) -> CallerError:
    """Nothing is wrong with it, as far as one can know: logging in again would not help."""
    return CallerError(
        f"cannot read {path}: permission denied; set MEZITE_HOME to a directory of yours",
        code="home_unusable",
    )


def _damaged(name: str, what: str) -> NotLoggedIn:
    return NotLoggedIn(
        f"the profile {cut(name, LONGEST_SHOWN)} is damaged ({what}); run: msh login --proxy=HOST:PORT again",
        code="damaged_profile",
    )
