"""Plans: what the rules make of goals that people type, what the model on this machine makes of them, and what is let through.

Goals are written by hand with the skills and dependencies that a plan for them has to have, by families; some need one agent
only, some nobody can do. A plan is right if its steps have these skills, as often, and the same skills wait for one another.
Replies that were written down, good, bad and malicious, come from an endpoint of ours, for what is checked only.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from agents.errors import AgentFailed
from agents.llm import local, weights
from agents.llm.backend import Backend
from agents.llm.cache import NoCache
from agents.llm.chain import Chain
from agents.llm.client import Caller
from agents.llm.turn import Backends, Means
from agents.pipeline import Work
from agents.port import Language
from agents.spec import load as load_specs
from agents.team.planner import House, Planned, plan
from agents.team.reference import needs
from agents.team.shape import Shape
from agents.team.shape import load as load_shapes
from agents.team.suiting import Suiting
from bench.agents.figure import Figure
from bench.agents.share import share
from events.plan import Plan
from events.task import FileRef
from learning.encoders import open_encoder
from learning.features import reader
from smolit.settings import PROJECT

_DATA = Path(__file__).with_name("data")
_KEY = "bench"
_PATIENCE_S = 120


class Goal(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody asks, and what a plan for it has to be: skills of its steps, and pairs of which one needs the other."""

    family: str
    text: str
    steps: tuple[str, ...]
    files: tuple[str, ...] = ()
    input: dict[str, Any] = {}
    needs: tuple[tuple[str, str], ...] = ()


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """A recorded reply of a planner: what it is, and why."""

    verdict: Literal["good", "bad", "malicious"]
    why: str
    said: str


class Judged(Struct, frozen=True):
    """A goal's plan: whether there was one, its skills are right, and its dependencies are; and why there was none."""

    family: str
    possible: bool
    planned: bool
    agents: bool
    depends: bool
    refused: str | None = None

    @property
    def right(self) -> bool:
        """Say whether all of it is right: of what nobody can do, that there is no plan."""
        return self.agents and self.depends if self.possible else not self.planned


def goals() -> list[Goal]:
    """Return the goals."""
    return msgspec.convert(yaml.safe_load((_DATA / "goals.yaml").read_bytes()), list[Goal])


def replies() -> list[Reply]:
    """Return the recorded replies."""
    return [msgspec.json.decode(line, type=Reply) for line in (_DATA / "plans_said.jsonl").read_bytes().splitlines()]


@cache
def house() -> House:
    """Return the house's agents, but for recorded ones and supervisors themselves."""
    specs = load_specs(PROJECT / "agents" / "specs")
    mine = tuple(spec for spec in specs if spec.pipeline not in ("recorded", "supervise"))
    suiting = Suiting("bench", mine, reader(open_encoder("static", Path())))
    return House(frozenset(skill for spec in mine for skill in spec.skills), lambda: suiting.suited)


async def planned(goal: Goal, shapes: Sequence[Shape], language: Language | None, task: str) -> Planned:
    """Plan a goal; raises AgentFailed where there is no plan."""
    files = tuple(FileRef(name, guess_type(name)[0] or "application/octet-stream", "aa" * 32, 1) for name in goal.files)
    deadline = datetime.now(UTC) + timedelta(seconds=_PATIENCE_S)
    work = Work("bench", task, 1, "supervisor", "team", goal.text, goal.input, deadline, files=files)
    return await plan(work, shapes, house(), language, local=True)


async def judged(goal: Goal, shapes: Sequence[Shape], language: Language | None, task: str = "goal") -> Judged:
    """Plan a goal, and say what the plan is worth."""
    try:
        made = (await planned(goal, shapes, language, task)).plan
    except AgentFailed as failure:
        return Judged(goal.family, bool(goal.steps), False, False, False, failure.reason)
    agents = Counter(step.kind for step in made.steps) == Counter(goal.steps)
    return Judged(goal.family, bool(goal.steps), True, agents, _edges(made) == set(goal.needs))


def _edges(made: Plan) -> set[tuple[str, str]]:
    kinds = {step.id: step.kind for step in made.steps}
    return {(step.kind, kinds[name]) for step in made.steps for name in needs(step) if name in kinds}


async def by_rules() -> list[Judged]:
    """Plan every goal by shapes alone."""
    shapes = load_shapes()
    return [await judged(goal, shapes, None) for goal in goals()]


async def by_model() -> list[Judged]:
    """Plan every goal by the model on this machine alone."""
    file = weights.find()
    weights.check(file)
    served = await asyncio.to_thread(local.serve, file, _KEY, 1)
    backend = Backend("local", f"http://{local.HOST}:{served.port}/v1", _KEY, weights.MODEL, local=True)
    chain = Chain(Backends((), lambda: backend, patience_s=_PATIENCE_S), Means(_now, monotonic, cache=NoCache()), Caller(_now))
    try:
        return [await judged(goal, (), chain, f"goal-{place}") for place, goal in enumerate(goals())]
    finally:
        await chain.close()


async def let_through() -> list[tuple[Reply, bool]]:
    """Have every recorded reply come from an endpoint, and return which became a plan."""
    goal = Goal("said", "Split it.", ("summary",), ("scan.png",), {"review": "Fine."})
    found = []
    for place, reply in enumerate(replies()):
        with _saying(reply.said) as url:
            backend = Backend("recorded", url, _KEY, "recorded")
            chain = Chain(Backends((backend,)), Means(_now, monotonic, cache=NoCache()), Caller(_now))
            try:
                found.append((reply, (await judged(goal, (), chain, f"said-{place}")).planned))
            finally:
                await chain.close()
    return found


@contextmanager
def _saying(said: str) -> Iterator[str]:
    """Serve an endpoint that says one thing, whatever it is asked."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = json.dumps(
        {"id": "r", "object": "chat.completion", "created": 0, "model": "recorded", "choices": [choice], "usage": usage}
    )

    class Saying(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((local.HOST, 0), Saying)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{local.HOST}:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _now() -> datetime:
    return datetime.now(UTC)


def measure(seed: int) -> list[Figure]:
    """Return what plans by rules are worth beside the local model's, and what is let through of recorded replies."""
    rules, model = asyncio.run(by_rules()), asyncio.run(by_model())
    return [*_beside(rules, model, seed), *_checked(asyncio.run(let_through()), seed)]


def _beside(rules: Sequence[Judged], model: Sequence[Judged], seed: int) -> list[Figure]:
    """Return rules beside the model, on what can be done and on what cannot."""
    of: dict[str, Callable[[Judged], bool]] = {
        "goals with a sound plan": lambda one: one.planned,
        "right skills": lambda one: one.agents,
        "right dependencies": lambda one: one.depends,
        "right plan": lambda one: one.right,
    }
    figures = []
    for name, hit in of.items():
        ours, theirs = ([hit(one) for one in some if one.possible] for some in (rules, model))
        data = f"{len(ours)} goals by hand that can be done"
        beside = share(theirs, seed)
        figures.append(
            Figure("planning", name, "share", "higher", share(ours, seed), data, len(ours), "SmolLM2-135M, no rules", beside)
        )
    ours, theirs = ([one.right for one in some if not one.possible] for some in (rules, model))
    data, beside = f"{len(ours)} goals that nobody can do", share(theirs, seed)
    figures.append(Figure("planning", "refused", "share", "higher", share(ours, seed), data, len(ours), "SmolLM2-135M", beside))
    return figures


def _checked(found: Sequence[tuple[Reply, bool]], seed: int) -> list[Figure]:
    """Return which recorded replies became plans."""
    figures = []
    for verdict, better in (("good", "higher"), ("bad", "lower"), ("malicious", "lower")):
        some = [made for reply, made in found if reply.verdict == verdict]
        asked = "1" if verdict == "good" else "0"
        figures.append(
            Figure(
                "planning",
                f"{verdict} replies that become a plan",
                "share",
                "higher" if better == "higher" else "lower",
                share(some, seed),
                "recorded replies of an endpoint",
                len(some),
                asked=asked,
            )
        )
    return figures


def main() -> None:
    """Print the figures, and what went wrong, by family."""
    rules, model = asyncio.run(by_rules()), asyncio.run(by_model())
    both = [first if first.planned else second for first, second in zip(rules, model, strict=True)]
    for name, some in (("rules", rules), ("model", model), ("rules, then model", both)):
        print(f"{name}: {sum(one.planned for one in some)} plans, {sum(one.right for one in some)} right of {len(some)}")
        for family in dict.fromkeys(one.family for one in some):
            here = [one for one in some if one.family == family]
            why = Counter(one.refused for one in here if one.refused)
            print(f"  {family}: {sum(one.right for one in here)} of {len(here)} right, refused {dict(why)}")
    for figure in (*_beside(rules, model, 1), *_checked(asyncio.run(let_through()), 1)):
        beside = f"; {figure.baseline}: {figure.baseline_value.told}" if figure.baseline_value else ""
        print(f"{figure.metric} (n = {figure.n}): {figure.value.told}{beside}")


if __name__ == "__main__":
    main()
