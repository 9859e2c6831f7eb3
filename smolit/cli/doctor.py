"""`smolit doctor`: what is wrong here, and what to do about it."""

from smolit.cli import out
from smolit.cli.option import Json
from smolit.doctor.examine import examine
from smolit.errors import CheckFailed
from smolit.settings import load_settings


def doctor(as_json: Json = False) -> None:
    """Look for what is wrong and say what to do about it."""
    found = list(examine(load_settings()))
    if as_json:
        out.json(found)
    else:
        out.table(
            ("", "subject", "seen", "what to do"),
            [("ok" if one.well else "!!", one.subject, one.seen, one.advice) for one in found],
        )
    if sick := [one.subject for one in found if not one.well]:
        raise CheckFailed(f"not well: {', '.join(sick)}")
