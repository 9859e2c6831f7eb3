"""Language models: is there one that serves, are the weights of the local one there, and does any back end fail?"""

import asyncio
from collections.abc import Iterator

from agents.errors import AgentError
from agents.llm import weights
from smolit.doctor.finding import Finding, finding
from smolit.process.llm import Noted, look, notes
from smolit.process.roster import extras
from smolit.settings import Settings


def models(settings: Settings) -> Iterator[Finding]:
    """Which back end serves, and what is wrong with the others?"""
    if extras(settings):
        yield _weights()
    found = asyncio.run(look(settings, wake=False))
    for one in found:
        if not one.answers and not one.local:
            advice = "check SMOLIT_LLM_URL, SMOLIT_LLM_MODEL and SMOLIT_LLM_KEY; until it answers, the next one does"
            yield Finding(f"back end {one.backend}", False, one.told, advice)
    serves = next((one for one in found if one.answers), None)
    seen = f"{serves.backend} serves ({serves.model})" if serves else "none answers"
    advice = "set SMOLIT_LLM_URL, or SMOLIT_LOCAL_LLM=on; `smolit llm status` says why"
    wanted = bool(settings.llm_url or extras(settings))
    yield finding("language models", serves is not None or not wanted, seen, advice)
    for worker, noted in sorted(notes(settings.data_dir).items()):
        yield from _left_alone(worker, noted)


def _weights() -> Finding:
    """Are the weights of the local model there, and the right ones?"""
    try:
        found = weights.find()
        weights.check(found)
    except AgentError as error:
        return Finding("weights", False, str(error), "`make install`, or SMOLIT_LOCAL_LLM=off")
    return Finding("weights", True, f"{found.path.name}, sha256 {weights.SHA256[:12]} as pinned")


def _left_alone(worker: str, noted: tuple[Noted, ...]) -> Iterator[Finding]:
    """Which back ends does a worker leave alone right now?"""
    for one in noted:
        if one.state != "closed":
            seen = f"{one.backend} failed {one.failures} of {one.calls} calls and is left alone until {one.until:%H:%M:%S}"
            yield Finding(
                f"breaker of {worker}", False, f"{seen}: {one.last_failure}", "`smolit llm status` shows every back end"
            )
