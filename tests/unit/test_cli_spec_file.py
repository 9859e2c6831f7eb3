"""Files of specs on the command line: read, checked and refused in the same words, whatever they say."""

from pathlib import Path

import pytest

from agents.spec import AGENTS
from smolit.cli import app, spec_file
from smolit.errors import CheckFailed, UsageInvalid

AGENT = "id: adder\ndescription: adds two numbers\nskills: [arithmetic]\npipeline: arithmetic\n"
CARD = "name: small\nversion: one\nkind: head\ndescription: answers\nsubtasks: [answer]\npipeline: arithmetic\n"


def lying(folder: Path, **contents: str) -> list[Path]:
    """Write files of specs and return their paths."""
    for name, content in contents.items():
        (folder / f"{name}.yaml").write_text(content)
    return [folder / f"{name}.yaml" for name in contents]


def test_files_and_folders_are_read_together(tmp_path: Path) -> None:
    """Whoever names a folder means every spec in it."""
    (tmp_path / "more").mkdir()
    lying(tmp_path / "more", b=AGENT.replace("adder", "b"), c=AGENT.replace("adder", "c"))

    found = spec_file.sound([*lying(tmp_path, a=AGENT), tmp_path / "more"], AGENTS)

    assert [one.id for one in found] == ["adder", "b", "c"]


def test_every_fault_of_every_file_is_told(tmp_path: Path) -> None:
    """Nothing is taken while a file has a fault, and all faults are told at once."""
    paths = lying(tmp_path, good=AGENT, one=AGENT + "timeout: 3\n", two=AGENT.replace("[arithmetic]", "[]"))

    with pytest.raises(UsageInvalid) as told:
        spec_file.sound(paths, AGENTS)
    with pytest.raises(CheckFailed, match=r"one.yaml:5: timeout is not a field"):
        spec_file.only(paths[1], AGENTS)

    assert [line.split(": ")[0] for line in str(told.value).splitlines()] == ["one.yaml:5", "two.yaml:3"]
    assert spec_file.only(paths[0], AGENTS).id == "adder"


def test_two_files_of_a_folder_cannot_claim_one_name(tmp_path: Path) -> None:
    """Of agents the id, of models the name."""
    lying(tmp_path, a=AGENT, b=AGENT)

    with pytest.raises(UsageInvalid, match=r"b.yaml:1: id: 'adder' is also in a.yaml"):
        spec_file.sound([tmp_path], AGENTS)


@pytest.mark.parametrize("read", [spec_file.sound, spec_file.lint])
def test_a_path_that_is_not_there_is_refused(read: object, tmp_path: Path) -> None:
    """A typing mistake is no empty folder."""
    assert callable(read)
    with pytest.raises(UsageInvalid, match="neither a file nor a folder"):
        read([tmp_path / "none"], AGENTS)


@pytest.mark.parametrize(
    ("noun", "content", "called"), [("agent", AGENT, "agent spec"), ("card", CARD, "model card")], ids=("agents", "models")
)
def test_lint_counts_what_is_sound_and_what_is_not(
    noun: str, content: str, called: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same words for agents and models; a fault is a failure, told on standard output with its place."""
    (path,) = lying(tmp_path, a=content)

    assert app.run([noun, "lint", str(path)]) == 0
    assert f"1 {called}(s) are sound" in capsys.readouterr().err
    path.write_text(content + "strange: 1\n")
    assert app.run([noun, "lint", str(path)]) == app.FAILED
    told = capsys.readouterr()
    assert "a.yaml:" in told.out
    assert f"1 fault(s) in {called}s" in told.err
