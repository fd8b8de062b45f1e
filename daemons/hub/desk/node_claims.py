"""What a node may say of itself: labels and the version of its agent. Bounded text that prints plainly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mezite import ids
from mezite.errors import Invalid

MOST_LABELS: Final = 64
LONGEST_VALUE: Final = 255
LONGEST_VERSION: Final = 64


def checked_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels in order of their keys; `Invalid` names the first that is none."""
    if len(labels) > MOST_LABELS:
        raise Invalid(f"{len(labels)} labels; at most {MOST_LABELS} are allowed", code="bad_labels")
    for key, value in labels.items():
        ids.label_key(key)
        # A comma or a line break would make one label look like two wherever they are printed.
        if len(value) > LONGEST_VALUE or not value.isprintable() or "," in value:
            raise Invalid(
                f"label {key}: a value has at most {LONGEST_VALUE} printable characters and no comma",
                code="bad_labels",
            )
    return dict(sorted(labels.items()))


def checked_version(version: str) -> str:
    if len(version) > LONGEST_VERSION or not version.isprintable():
        raise Invalid(f"an agent's version has at most {LONGEST_VERSION} printable characters")
    return version
