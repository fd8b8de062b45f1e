"""A one-row field, with a ground instead of a border. Letters typed in it are text, never commands."""

from __future__ import annotations

from textual.widgets import Input


class Field(Input):
    """The readline keys work; pasted control characters are dropped, and its length is bounded."""

    DEFAULT_CSS = """
    Field { height: 1; border: none; padding: 0 1; }
    Field:focus { border: none; }
    """

    def __init__(
        self,
        value: str = "",
        *,
        id: str,
        placeholder: str = "",
        password: bool = False,
        max_length: int = 300,
        classes: str | None = None,
    ) -> None:
        super().__init__(
            value,
            id=id,
            placeholder=placeholder,
            password=password,
            max_length=max_length,
            select_on_focus=False,
            classes=classes,
        )
        self.cursor_blink = False
