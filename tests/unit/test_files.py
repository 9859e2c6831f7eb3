"""Files that come with a task: what they are, what is refused, and what facts say of them."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.media import UNKNOWN, guessed, misfit
from events.request import GivenFile, SubmitTask
from events.task import FileRef
from smolit.cli import attach
from smolit.errors import UsageInvalid
from store.blob import Brought
from streams.admission import Refused
from streams.files import refs_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
DIGEST = hashlib.sha256(PNG).hexdigest()
SCAN = GivenFile("scan.png", "image/png", content=PNG)
KEPT = GivenFile("big.pdf", "application/pdf", sha256="5e" * 32)
LIMIT = 1_000


def refused(*files: GivenFile, there: dict[str, Brought] | None = None) -> tuple[str, str]:
    """Return code and sentence of a refusal."""
    with pytest.raises(Refused) as caught:
        refs_of(files, there or {}, LIMIT)
    return caught.value.reason, str(caught.value)


def test_a_fact_names_a_file_by_its_digest() -> None:
    """Content and named files come out alike, in their order."""
    there = {"5e" * 32: Brought(900, b"%PDF-1.7")}

    assert refs_of((SCAN, KEPT), there, LIMIT) == (
        FileRef("scan.png", "image/png", DIGEST, len(PNG)),
        FileRef("big.pdf", "application/pdf", "5e" * 32, 900),
    )


@pytest.mark.parametrize(
    ("file", "reason", "says"),
    [
        (
            GivenFile("a.png", "image/png", content=b"hello"),
            "file_not_what_it_says",
            "files[0].media_type: 'a.png' is no image/png",
        ),
        (GivenFile("a.txt", "text/plain", content=PNG), "file_not_what_it_says", "begins like image/png"),
        (GivenFile("a.csv", "text/csv", content=b"1,\x002"), "file_not_what_it_says", "zero bytes"),
        (GivenFile("a.txt", "text/plain", content=b"x" * 1_001), "file_too_large", "1001 bytes; 1000 are allowed"),
        (GivenFile("a.txt", "text/plain"), "file_missing", "files[0].content"),
        (KEPT, "file_missing", "files[0].sha256: the tenant brought no such file"),
        (GivenFile("a.txt", "text/plain", content=b"x", sha256="5e" * 32), "file_damaged", "files[0].sha256"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(file: GivenFile, reason: str, says: str) -> None:
    """Each refusal has a code, and a sentence that names the field."""
    code, sentence = refused(file)

    assert (code, says in sentence) == (reason, True), sentence


def test_two_files_of_one_name_are_refused() -> None:
    """An agent finds files by their names."""
    assert refused(SCAN, SCAN)[0] == "file_twice"


def test_a_named_file_is_looked_at_like_any_other() -> None:
    """Its first bytes and its size decide, not what the request says."""
    assert refused(KEPT, there={"5e" * 32: Brought(10, b"hello")})[0] == "file_not_what_it_says"
    assert refused(KEPT, there={"5e" * 32: Brought(5_000, b"%PDF-1.7")})[0] == "file_too_large"


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", ".hidden", "a\nb", "", "x" * 256])
def test_a_name_is_no_path(name: str) -> None:
    """Nobody who writes a file by its name can be led out of a folder."""
    request = msgspec.to_builtins(SubmitTask(text="x", files=(GivenFile(name, "text/plain", content=b"x"),)))

    with pytest.raises(msgspec.ValidationError, match=r"files\[0\].name"):
        msgspec.convert(request, SubmitTask)


def test_at_most_sixteen_files_come_with_a_task() -> None:
    """One more is refused by the schema."""
    files = tuple(GivenFile(f"{number}.txt", "text/plain", content=b"x") for number in range(17))

    with pytest.raises(msgspec.ValidationError, match="length <= 16"):
        msgspec.convert(msgspec.to_builtins(SubmitTask(text="x", files=files)), SubmitTask)


@given(st.binary(max_size=64), st.sampled_from(["a.png", "a.txt", "a", "a.xlsx", "a.csv", "a.webp"]))
def test_what_is_guessed_is_never_refused(head: bytes, name: str) -> None:
    """Whoever attaches a file by the command line is not told that it is not what we guessed."""
    assert misfit(guessed(name, head), head) is None


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("a.txt", PNG, "image/png"),
        ("a.bin", b"RIFF0000WEBPVP8 ", "image/webp"),
        ("sheet.xlsx", b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("sales.CSV", b"a,b\n1,2\n", "text/csv"),
        ("a.weird", b"hello", UNKNOWN),
    ],
)
def test_a_file_is_told_by_name_and_first_bytes(name: str, head: bytes, kind: str) -> None:
    """The name decides where the bytes allow it."""
    assert guessed(name, head) == kind


def test_files_of_the_command_line(tmp_path: Path) -> None:
    """They are read, named without folders, and the task is called after them."""
    (tmp_path / "scan.png").write_bytes(PNG)

    files = attach.given([tmp_path / "scan.png"], [f"big.pdf={'5e' * 32}"])

    assert files == (SCAN, KEPT)
    assert attach.named(files) == "scan.png, big.pdf"


def test_what_a_request_cannot_hold_is_told_before_it_is_sent(tmp_path: Path) -> None:
    """The sentence says what to do; so do those about a missing file and a digest that is none."""
    with pytest.raises(UsageInvalid, match=r"smolit blob put scan.png"):
        attach.check_size(SubmitTask(text="x", files=(SCAN,)), 50)
    with pytest.raises(UsageInvalid, match="cannot be read"):
        attach.given([tmp_path / "nothing"], [])
    with pytest.raises(UsageInvalid, match="NAME=SHA256"):
        attach.given([], ["big.pdf"])
