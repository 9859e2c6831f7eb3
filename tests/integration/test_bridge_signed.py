"""The bridge on a real Postgres, with sources that sign: what is forged, replayed or unsigned is refused and recorded."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from agents.signature import Key
from events.answer import AnswerGiven
from events.conversation import Scope
from events.event import Message
from events.vouched import WORKS, signed_bytes
from events.wire import Incoming
from handlers.bridge import Ear
from store import sender_key
from store.sender_key import KeyRow
from tests.integration.hands_kit import now
from tests.integration.test_bridge import LIMIT, RHYTHM, Bridge, announce, answer, beat, bridge
from tests.stacks import Namespace

FARM, NEXT, THIEF = (Key("worker:farm", seed * 32) for seed in (b"f", b"n", b"t"))


async def known(made: Bridge, key: Key, pools: Sequence[str] = ()) -> None:
    """Enter a key of the source `farm`, as intake does, and let nobody speak who does not sign."""
    row = KeyRow("default", key.sender, key.name, key.public, Scope(kinds=(WORKS,), recipients=tuple(pools)), None, None)
    await sender_key.put(made.hall.connection, row)
    made.ear = Ear(made.hall.roads, RHYTHM, now, LIMIT, made.hall.count)


def signed(made: Bridge, said: Message, key: Key = FARM, request_id: str = "", ago_s: float = 0.0) -> Incoming:
    """Return what a worker of `farm` says, signed."""
    one = made.record(said, "farm", "default", request_id, ago_s)
    found = {name: content.decode() for name, content in one.headers}
    kind, source, event_id, time = (found[name] for name in ("ce_type", "ce_source", "ce_id", "ce_time"))
    signature = key.sign(signed_bytes(one.topic, kind, source, event_id, time, one.value or b""))
    return replace(one, headers=(*one.headers, ("ce_keyid", key.name.encode()), ("ce_signature", signature.encode())))


def again(one: Incoming) -> Incoming:
    """Return a record as it stands in the log once more."""
    return replace(one, offset=one.offset + 1_000)


async def test_a_source_that_signs_works_as_before(namespace: Namespace) -> None:
    """Announced, given, renewed, answered; nothing is refused."""
    async with bridge(namespace) as made:
        await known(made, FARM, ["farm"])
        await made.read(signed(made, announce()))
        (command,) = await made.turn()
        await made.read(signed(made, beat(command)), signed(made, answer(command)))

        (told,) = await made.hall.sent(AnswerGiven)
        assert (told.output, await made.refused()) == ({"factors": [2, 3]}, [])


async def test_nobody_else_speaks_for_a_source(namespace: Namespace) -> None:
    """Unsigned, signed by another, changed on the way, another's signature on it: each is recorded, and the attempt goes on."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        await made.read(signed(made, announce()))
        (command,) = await made.turn()
        lie = answer(command, output={"factors": [1]})
        true = signed(made, answer(command))
        await made.say(lie)
        await made.read(
            signed(made, lie, THIEF),
            replace(true, value=(true.value or b"").replace(b"[2,3]", b"[6]")),
            replace(made.record(lie, "farm", "default", "r-x"), headers=true.headers),
        )
        open_still = await made.hall.state()
        await made.read(again(true))

        (told,) = await made.hall.sent(AnswerGiven)
        assert await made.refused() == ["unsigned", "unknown_key", "forged", "forged"]
        assert open_still == ("open", [(1, "running", 1)])
        assert told.output == {"factors": [2, 3]}


async def test_what_was_said_once_is_not_said_again(namespace: Namespace) -> None:
    """A replayed announcement would take a worker's work away, a replayed beat would keep a dead one's: neither counts."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        hello = signed(made, announce())
        await made.read(hello)
        (command,) = await made.turn()
        alive = signed(made, beat(command))
        await made.read(alive)
        await made.hall.connection.execute("update ops.work_attempt set lease_until = now() + interval '5 s'")
        await made.read(again(hello), again(alive), again(alive))
        await made.read(signed(made, beat(command), ago_s=100.0))
        left = await made.hall.value("select extract(epoch from lease_until - now()) from ops.work_attempt")

        assert await made.refused() == ["replayed", "replayed", "not_of_now"]  # beats of one kind once a minute
        assert left < 6
        assert await made.hall.state() == ("open", [(1, "running", 1)])


async def test_a_sign_of_life_twice_in_one_batch_counts_once(namespace: Namespace) -> None:
    """Within a batch, too."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        hello = signed(made, announce())
        await made.read(hello, again(hello))

        assert (await made.refused(), made.hall.counts["bridge.announced"]) == (["replayed"], 1)


async def test_an_answer_is_bound_to_its_claim(namespace: Namespace) -> None:
    """The same record again falls away; what was signed for the claim before does not end the next one."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        await made.read(signed(made, announce()))
        (old,) = await made.turn()
        kept = signed(made, answer(old), request_id="a-1")
        await made.read(signed(made, announce()))
        (_, new) = await made.turn()
        await made.read(kept)
        await made.read(signed(made, answer(new, output="mine"), request_id="a-2"))
        await made.read(again(kept))

        (told,) = await made.hall.sent(AnswerGiven)
        assert (old.epoch, new.epoch, told.output) == (1, 2, "mine")
        assert (await made.refused(), made.hall.counts["bridge.repeated"]) == (["stale_epoch"], 1)


async def test_a_source_changes_its_key(namespace: Namespace) -> None:
    """Both count for half a minute, then only the new one, whatever time the old one writes."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        await known(made, NEXT)
        await made.read(signed(made, announce("w1"), FARM), signed(made, announce("w2"), NEXT))
        within = await made.refused()
        await made.hall.connection.execute(
            "update ops.sender_key set replaced_at = %s where replaced_at is not null", (now() - timedelta(seconds=31),)
        )
        await made.read(signed(made, announce("w1"), FARM), signed(made, announce("w2"), NEXT))

        assert (within, await made.refused()) == ([], ["unknown_key"])


@pytest.mark.parametrize(("unsigned", "reasons"), [((), ["unsigned"]), (("barn",), ["unsigned"]), (("farm",), []), (("*",), [])])
async def test_old_workers_speak_where_a_setting_says_so(
    namespace: Namespace, unsigned: tuple[str, ...], reasons: list[str]
) -> None:
    """Those that have no key."""
    async with bridge(namespace) as made:
        made.ear = Ear(made.hall.roads, RHYTHM, now, LIMIT, made.hall.count, unsigned)
        await made.say(announce())

        assert await made.refused() == reasons
