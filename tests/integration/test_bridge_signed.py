"""The bridge on a real Postgres, with sources that sign: what is forged, replayed or unsigned is refused and recorded."""

import hashlib
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from agents.signature import Key, is_signed
from events.answer import AnswerGiven
from events.conversation import KeyRegistered, Scope
from events.dead_letter import DeadLetter
from events.event import Message
from events.request import RefuseCommand
from events.vouched import WORKS, signed_bytes
from events.wire import Incoming
from handlers.announcing import announce as announce_house
from store import outbox, sender_key
from store.sender_key import KeyRow
from tests.integration.hands_kit import now
from tests.integration.test_bridge import HOUSE_KEY, Bridge, announce, answer, beat, bridge
from tests.stacks import Namespace

FARM, NEXT, THIEF = (Key("worker:farm", seed * 32) for seed in (b"f", b"n", b"t"))


async def known(made: Bridge, key: Key, pools: Sequence[str] = ()) -> None:
    """Enter a key of the source `farm`, as intake does, and let nobody speak who does not sign."""
    row = KeyRow("default", key.sender, key.name, key.public, Scope(kinds=(WORKS,), recipients=tuple(pools)), None, None)
    await sender_key.put(made.hall.connection, row)
    made.listen()


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


async def test_a_worker_changes_its_key(namespace: Namespace) -> None:
    """Old and new count together until the old one is revoked; from then on it does not, and its last use stays on record."""
    old, new = Key("worker:farm#w1", b"1" * 32), Key("worker:farm#w1", b"2" * 32)
    async with bridge(namespace) as made:
        await known(made, old)
        await known(made, new)
        await made.read(signed(made, announce(), old), signed(made, beat(), new))
        within = await made.refused()
        await sender_key.revoke(made.hall.connection, "default", old.sender, old.name)
        await made.read(signed(made, beat(), old), signed(made, beat(), new))
        first, second = await sender_key.keys_of(made.hall.connection, "default", [old.sender])

        assert (within, await made.refused()) == ([], ["revoked_key"])
        assert (first.replaced_at is None, second.replaced_at is None) == (False, True)
        assert None not in (first.used_at, second.used_at)


async def test_a_stolen_key_speaks_for_its_own_worker_alone(namespace: Namespace) -> None:
    """It takes no work of another worker of its source, answers for none, and ends with its revocation; the other works on."""
    one, two = Key("worker:farm#w1", b"1" * 32), Key("worker:farm#w2", b"2" * 32)
    async with bridge(namespace) as made:
        await known(made, one)
        await known(made, two)
        await made.read(signed(made, announce(), one))
        (command,) = await made.turn()
        await made.read(signed(made, announce(), two), signed(made, answer(command, output="stolen"), two))
        stolen = await made.refused()
        await sender_key.revoke(made.hall.connection, "default", two.sender, two.name)
        await made.read(signed(made, announce("w2"), two), signed(made, answer(command), one))

        (told,) = await made.hall.sent(AnswerGiven)
        assert stolen == ["unknown_key", "unknown_key"]
        assert ((await made.refused())[2:], told.output) == (["revoked_key"], {"factors": [2, 3]})


async def test_a_worker_reports_a_command_that_the_house_did_not_give(namespace: Namespace) -> None:
    """Recorded by its reason, with where it stands, once a minute; a report without the worker's own signature is none."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        told = [
            RefuseCommand(worker="w1", pool="farm", reason=reason, place="smolit.work.farm.v1/0/7", command_id="c-1")
            for reason in ("forged", "late", "forged")
        ]
        await made.read(*(signed(made, one) for one in told), signed(made, told[0], THIEF))

        letters = await made.hall.sent(DeadLetter)
        assert [one.reason for one in letters] == ["unknown_key", "command_forged", "command_late"]
        assert letters[1].detail == "default:farm#w1 refused a command at smolit.work.farm.v1/0/7 (ce_id c-1)"
        assert await made.hall.value("select count(*) from ops.remote_worker") == 0


async def test_commands_are_signed_for_the_topic_of_their_pool(namespace: Namespace) -> None:
    """To do and to drop: by the house's key, over type, source, id, time and every byte, for this topic; the key is announced."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        await announce_house(made.hall.connection, made.house, ["default"], now())
        await announce_house(made.hall.connection, made.house, ["default"], now())
        await made.read(signed(made, announce()))
        (command,) = await made.turn()
        await made.hall.connection.execute("update ops.work_attempt set epoch = epoch + 1")
        await made.read(signed(made, beat(command)))

        (fact,) = await made.hall.sent(KeyRegistered)
        waiting = await outbox.unpublished(made.hall.connection, range(outbox.SHARDS), 100)
        found = [row.record for row in waiting if ".work." in row.record.topic]
        assert (fact.sender, fact.public_key) == ("house", HOUSE_KEY.public)
        assert [dict(one.headers)["ce_type"] for one in found] == [b"smolit.attempt.do.v1", b"smolit.attempt.drop.v1"]
        for one in found:
            headers = {name: text.decode() for name, text in one.headers}
            covered = [headers[name] for name in ("ce_type", "ce_source", "ce_id", "ce_time")]
            lines = ["smolit:command:1", one.topic, *covered, hashlib.sha256(one.value).hexdigest()]
            assert headers["ce_audience"] == one.topic
            assert is_signed(fact.public_key, "\n".join(lines).encode(), headers["ce_signature"])


@pytest.mark.parametrize(("unsigned", "reasons"), [((), ["unsigned"]), (("barn",), ["unsigned"]), (("farm",), []), (("*",), [])])
async def test_old_workers_speak_where_a_setting_says_so(
    namespace: Namespace, unsigned: tuple[str, ...], reasons: list[str]
) -> None:
    """Those that have no key."""
    async with bridge(namespace) as made:
        made.listen(unsigned)
        await made.say(announce())

        assert await made.refused() == reasons


async def test_where_one_worker_has_a_key_all_of_its_source_have_to_sign(namespace: Namespace) -> None:
    """Whatever the setting says: else a thief would take another name, and not sign."""
    async with bridge(namespace) as made:
        await known(made, Key("worker:farm#w9", b"9" * 32))
        made.listen(("*",))
        await made.say(announce("w1"))
        await made.say(announce("w1"), source="barn")

        assert await made.refused() == ["unsigned"]


async def test_a_command_names_the_announcement_that_its_worker_began_with(namespace: Namespace) -> None:
    """So one that began anew tells what was commanded to the run before, said again or only late, from what it has to do."""
    async with bridge(namespace) as made:
        await known(made, FARM)
        await made.read(signed(made, announce(), request_id="first"))
        await made.read(signed(made, beat()))
        (old,) = await made.turn()
        await made.read(signed(made, announce(), request_id="second"))
        (_, new) = await made.turn()

        assert (old.session, new.session) == ("first", "second")
