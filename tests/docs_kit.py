"""What the docs say that the code knows better: `python -m tests.docs_kit` writes it anew."""

import re
from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from smolit.settings import PREFIX, PROJECT, Settings

README, SETTINGS = PROJECT / "README.md", PROJECT / "docs" / "settings.md"
_BLOCK = re.compile(r"(<!-- settings: [^>]*-->\n)(.*)\Z", re.S)


def settings_table() -> str:
    """Return every setting with its default and what it is for, as a Markdown table."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(name)} | {field.description} |" for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows])


def documented_table(text: str) -> str:
    """Return the table that a page holds."""
    found = _BLOCK.search(text)
    return found[2].strip() if found else ""


def _default(name: str) -> str:
    """Return a default as it is written in the environment; what depends on the machine is told by its description."""
    default = Settings.model_fields[name].default
    if default is PydanticUndefined or default is None or isinstance(default, Path | SecretStr):
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(default)}`" if default else ""
    return f"`{default}`" if default != "" else ""


def main() -> None:
    """Put the current table into the page of settings."""
    text = SETTINGS.read_text(encoding="utf-8")
    SETTINGS.write_text(_BLOCK.sub(lambda found: f"{found[1]}{settings_table()}\n", text), encoding="utf-8")


if __name__ == "__main__":
    main()
