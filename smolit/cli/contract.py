"""`smolit events catalog` and `events schema`: what travels, told to people and to programs in other languages."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from events.catalog import FACTS, NOTICES, REQUESTS
from events.contract import files, older
from events.describe import EventSaid, FieldSaid, described
from events.event import Message
from events.schema import schema_of
from events.topics import Names
from smolit.cli import out
from smolit.cli.option import Json
from smolit.errors import UsageInvalid
from smolit.settings import PROJECT, load_settings

PUBLISHED = PROJECT / "contracts"  # what others were promised; tests compare it with the classes

TypeName = Annotated[str | None, typer.Argument(metavar="[TYPE]", help="One type, such as task.submit; else all.")]
Schema = Annotated[str | None, typer.Option("--schema", metavar="TYPE", help="Print the JSON Schema of one type.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files; made if it is not there.")]


def catalog(name: TypeName = None, schema: Schema = None, as_json: Json = False) -> None:
    """Print every type of event, or one: version, topic, key, what it says, and its fields with their types."""
    if schema is not None:
        out.json(schema_of(_class(schema)))
        return
    found = [described(cls) for cls in ([_class(name)] if name else (*REQUESTS, *FACTS, *NOTICES))]
    if as_json:
        out.json(found)
        return
    for said in found:
        _show(said)


def export(target: Folder, as_json: Json = False) -> None:
    """Write the contract for other languages: a JSON Schema per message and version, and one AsyncAPI document."""
    settings = load_settings()
    published = {path.name: path.read_bytes() for path in sorted(PUBLISHED.glob("*.json"))}
    made = older(published) | files(Names(settings.topic_prefix), settings.tenants, version("smolit"))
    _write(target, made)
    if as_json:
        out.json(sorted(made))
    out.say(f"{len(made)} files in {target}")


def _write(target: Path, made: dict[str, bytes]) -> None:
    """Write files into a folder; raises UsageInvalid."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in sorted(made.items()):
            (target / name).write_bytes(content)
    except OSError as wrong:
        raise UsageInvalid(f"{target} cannot be written to ({wrong.strerror})") from wrong


def _class(name: str) -> type[Message]:
    """Return a class by its name, with or without prefix and version; raises UsageInvalid."""
    for cls in (*REQUESTS, *FACTS, *NOTICES):
        if name in (cls.event_type.name, cls.event_type.wire_name):
            return cls
    raise UsageInvalid(f"no event is called {name!r}; `smolit events catalog` prints them")


def _show(said: EventSaid) -> None:
    """Print one type: a line that names it, what it says, and a table of its fields."""
    out.line(f"{said.type}  (version {said.version}, topic {said.topic}, key {said.key})")
    out.line(said.says)
    out.table(("field", "type", "default", "says"), [(one.field, one.type, _default(one), one.says) for one in said.fields])
    out.line("")


def _default(field: FieldSaid) -> str:
    return "required" if field.required else field.default or ""
