"""Workers elsewhere do only what the house tells them: the examples' own checks, in Python and in Node, on records that it signs.

The same check in Go is in tests/integration/test_agents_as_data.py, where all three meet real commands.
"""

import base64
import hashlib
import importlib.util
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from agents.signature import Key, is_signed
from events.wire import Outgoing
from events.work import DoAttempt
from handlers.ordering import House
from tests.builders import NAMES, TASK, TENANT, chosen, moment
from tests.toolchain import tool

EXAMPLES = Path(__file__).parents[2] / "examples"
OURS, NEXT, THIEF = (Key("house", seed * 32) for seed in (b"h", b"n", b"t"))
NOW = moment(100.0)
TOPIC = NAMES.work_of(TENANT, "farm")
DO = DoAttempt(
    source="farm", worker="w1", tenant=TENANT, task_id=TASK, attempt=1, epoch=3, agent="factor", kind=None, text="factor 6",
    input={}, files=(), prompts={}, outputs=None, due=moment(130.0), lease_s=10.0, effect_key="k", session="now",
)  # fmt: skip
Check = Callable[[Sequence[Outgoing]], list[str | None]]


def command(
    epoch: int = 3, at: float = 100.0, due: float = 130.0, key: Key = OURS, pool: str = "farm", session: str | None = "now"
) -> Outgoing:
    """Return a command as the bridge sends it."""
    house = House(NAMES, lambda _tenant: key)
    return house.told(replace(DO, epoch=epoch, due=moment(due), session=session), TENANT, pool, chosen().envelope, moment(at))


def in_python(records: Sequence[Outgoing]) -> list[str | None]:
    """Return what the worker in Python says of records, one after the other."""
    found = importlib.util.spec_from_file_location("house", EXAMPLES / "python_aiokafka" / "house.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    house = module.House(f"{OURS.public},{NEXT.public}")
    return [house.refuses(TOPIC, one.headers, one.value, json.loads(one.value), "now", NOW) for one in records]


def in_node(records: Sequence[Outgoing]) -> list[str | None]:
    """Return what the worker in Node says."""
    script = f"""
import {{ House }} from {json.dumps((EXAMPLES / "node" / "house.mjs").as_uri())};
const {{ keys, topic, now, records }} = JSON.parse(process.argv[1]), house = new House(keys);
const headersOf = (pairs) => pairs.reduce((all, [name, text]) => {{
  const one = Buffer.from(text, "base64");  // as kafkajs has them: one that is there twice is a list
  return {{ ...all, [name]: name in all ? [all[name], one].flat() : one }};
}}, {{}});
console.log(JSON.stringify(records.map(({{ headers, value }}) => {{
  const content = Buffer.from(value, "base64");
  return house.refuses(topic, headersOf(headers), content, JSON.parse(content), "now", now);
}})));"""
    told = [
        {
            "headers": [(name, base64.b64encode(text).decode()) for name, text in one.headers],
            "value": base64.b64encode(one.value).decode(),
        }
        for one in records
    ]
    given = {"keys": f"{OURS.public},{NEXT.public}", "topic": TOPIC, "now": NOW.timestamp() * 1000, "records": told}
    argv = [tool("node"), "--input-type=module", "-e", script, json.dumps(given)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    found: list[str | None] = json.loads(done.stdout)
    return found


def with_header(one: Outgoing, name: str, text: bytes) -> Outgoing:
    """Return a record with another header."""
    return replace(one, headers=tuple((key, text if key == name else was) for key, was in one.headers))


@pytest.mark.parametrize("check", [in_python, in_node])
def test_only_what_the_house_says_here_and_now_is_done(check: Check) -> None:
    """One record for each thing that can be wrong, between two that are right; either of the house's keys will do."""
    good = command()
    bare = tuple(pair for pair in good.headers if pair[0] != "ce_signature")
    cases = [
        (good, None),
        (command(epoch=4, key=NEXT), None),
        (good, "replayed"),
        (replace(good, headers=bare), "unsigned"),
        (replace(good, headers=(*good.headers, good.headers[-1])), "unsigned"),
        (command(epoch=5, key=THIEF), "unknown_key"),
        (with_header(command(epoch=5, key=THIEF), "ce_keyid", OURS.name.encode()), "forged"),
        (replace(command(epoch=6), value=good.value), "forged"),
        (with_header(good, "ce_id", b"another"), "forged"),
        (with_header(good, "ce_time", b"1970-01-01T00:02:00Z"), "forged"),
        (with_header(good, "ce_signature", b"!"), "forged"),
        (command(epoch=7, pool="barn"), "foreign_pool"),
        (with_header(command(epoch=7, pool="barn"), "ce_audience", TOPIC.encode()), "forged"),
        (command(epoch=8, at=39.0), "late"),
        (command(epoch=8, at=161.0, due=200.0), "late"),
        (command(epoch=8, due=99.0), "late"),
        (command(epoch=8, session="before"), "late"),
        (command(epoch=9, session=None), None),
        (command(epoch=8, at=41.0), None),
    ]

    assert check([one for one, _ in cases]) == [reason for _, reason in cases]


def test_the_signed_bytes_of_a_command_are_what_the_documentation_says() -> None:
    """Seven lines, as for what workers say, under a first line of their own: neither counts as the other."""
    one = command()
    found = {name: text.decode() for name, text in one.headers}
    covered = [found[name] for name in ("ce_type", "ce_source", "ce_id", "ce_time")]
    lines = [TOPIC, *covered, hashlib.sha256(one.value).hexdigest()]
    said = "\n".join(("smolit:worker:1", *lines)).encode()

    assert (found["ce_audience"], found["ce_keyid"]) == (TOPIC, OURS.name)
    assert is_signed(OURS.public, "\n".join(("smolit:command:1", *lines)).encode(), found["ce_signature"])
    assert not is_signed(OURS.public, said, found["ce_signature"])
