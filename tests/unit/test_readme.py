"""The README and the page of settings tell the truth: settings, commands, links."""

import re

from smolit.cli.catalog import COMMANDS
from smolit.settings import PROJECT
from tests.docs_kit import README, SETTINGS, documented_table, settings_table


def test_every_setting_is_documented() -> None:
    """The settings table is the one that the code gives; `python -m tests.docs_kit` writes it anew."""
    assert documented_table(SETTINGS.read_text(encoding="utf-8")) == settings_table()


def test_every_command_in_the_readme_exists() -> None:
    """What the README tells people to type is a command."""
    known = {command.words for command in COMMANDS}
    typed = re.findall(r"^\$ smolit ([a-z ]+?)(?: [\"A-Z-].*)?$", README.read_text(encoding="utf-8"), re.M)

    assert typed
    assert [words for words in typed if words.strip() not in known] == []


def test_every_link_in_the_docs_leads_somewhere() -> None:
    """Links within the project point at files that are there."""
    pages = [README, PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    dead = [
        f"{page.relative_to(PROJECT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert dead == []


def test_the_readme_shows_real_output() -> None:
    """No placeholder is left where output stands."""
    assert not re.search(r"^(DEMO|TEST)_OUTPUT$|SETTINGS_TABLE", README.read_text(encoding="utf-8"), re.M)
