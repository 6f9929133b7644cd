"""The demonstration is a test of its own: every step of it claims something, and the audit ends it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "commerce", "demo", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_story_is_as_it_is_told() -> None:
    told = demo("--chapter", "story", "--fast")
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr
    assert "✗" not in told.stdout
    assert re.findall(r"^(\d+)\. ", told.stdout, re.MULTILINE) == [str(n) for n in range(1, 11)]
    assert "✓ exactly 50 orders\n" in told.stdout
    assert "✓ the audit finds nothing\n" in told.stdout
    assert "\n47 claims held, " in told.stdout


def test_the_stock_is_as_it_is_told() -> None:
    told = demo("--chapter", "stock", "--fast")
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr
    assert "✗" not in told.stdout
    assert re.findall(r"^(\d+)\. ", told.stdout, re.MULTILINE) == [str(n) for n in range(1, 14)]
    assert "✓ together exactly as many as there are hoodies\n" in told.stdout
    assert "✓ the audit finds nothing\n" in told.stdout
    assert "\n72 claims held, " in told.stdout


def test_the_people_are_as_they_are_told() -> None:
    told = demo("--chapter", "people", "--fast")
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr
    assert "✗" not in told.stdout
    assert re.findall(r"^(\d+)\. ", told.stdout, re.MULTILINE) == [str(n) for n in range(1, 13)]
    assert "✓ the open page on the site has heard of it\n" in told.stdout
    assert "✓ by phone, by e-mail, by order: nobody\n" in told.stdout
    assert "✓ the audit finds nothing\n" in told.stdout
    assert "\n54 claims held, " in told.stdout


def test_a_chapter_that_does_not_exist_is_refused() -> None:
    told = demo("--chapter", "no-such-chapter")
    assert told.returncode == 2
    assert told.stderr.startswith("commerce: there is no chapter 'no-such-chapter'; there are: story, stock, people")
