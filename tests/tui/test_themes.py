"""Every text on every ground it can stand on is readable; without colours nothing is lost."""

from __future__ import annotations

import pytest

from tui.themes import CONTRAST, DARK, MONO, THEMES, Theme, chosen, contrast_ratio

TEXTS = ("text", "muted", "accent", "ok", "warn", "bad")


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_each_text_stands_out_from_each_ground(theme: Theme) -> None:
    grounds = [theme.page, theme.bar, theme.selected_elsewhere]
    grounds += [] if theme.flat else [theme.selected]
    for ground in grounds:
        for text in TEXTS:
            assert contrast_ratio(getattr(theme, text), ground) >= 4.5, (text, ground)
    for fill in ("accent", "ok", "warn", "bad"):
        assert contrast_ratio(theme.on_fill, getattr(theme, fill)) >= 4.5


def test_without_hues_what_needs_somebody_still_stands_out() -> None:
    assert "bold" in MONO.style("warn")
    assert "underline" in MONO.style("bad")
    assert "reverse" in MONO.fill("warn")


def test_the_theme_asked_for_wins_over_the_environment() -> None:
    assert chosen(None, {}) is DARK
    assert chosen(None, {"NO_COLOR": "1"}) is MONO
    assert chosen("contrast", {"NO_COLOR": "1"}) is CONTRAST


def test_the_ratio_is_that_of_the_wcag() -> None:
    assert contrast_ratio("#000000", "#ffffff") == pytest.approx(21)
    assert contrast_ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
