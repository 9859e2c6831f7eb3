"""What the front agent does with a turn: gives a task away, asks back, recalls, notes, or talks. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from agents.front import brought
from agents.front.asked import asks_memory
from agents.front.follow import Before, followed
from agents.front.remember import METHOD, Said, asked_to_remember, besides, note, to_forget, told
from agents.front.shown import shown
from agents.front.sort import Sorted
from agents.grammar import asks
from learning.match import MINIMUM_FIT

_NEVER_MIND = re.compile(
    r"\b(?:never ?mind|forget (?:it|about it|that)|leave it|skip it|cancel (?:it|that)|drop it|not now|some other time"
    r"|lass (?:es|das|gut sein)"
    r"|vergiss es|egal|schon gut)\b|^\W*(?:cancel|stop|no|nope|nein|abbrechen|later)\b(?!.*\d).{0,20}$",
    re.IGNORECASE,
)
_TOLD_TO = re.compile(
    r"^\W*(?:please |bitte |could you |can you |kannst du )?(?:write|draft|compose|translate|describe|explain|rewrite"
    r"|rephrase|suggest|recommend"
    r"|invent|name|give me|schreibe?|übersetze?|erkläre?|nenne?|beschreibe?|formuliere?)\b(?!.*\b(?:second|minute|moment"
    r"|break|time|hand|sec)\b)",
    re.IGNORECASE,
)
_MOST_SPARE = 12  # words of a turn that lets a question of ours be
_FILE = re.compile(
    r"\b(attached|attachment|this (?:scan|pdf|image|picture|photo|file|csv|spreadsheet)|the (?:scan|pdf|csv|spreadsheet)"
    r"|angehängt\w*|anhang|auf dem bild|diese[nsr]? (?:scan|bild|datei|pdf))\b",
    re.IGNORECASE,
)
_BELOW = re.compile(
    r"\b(?:following|below|this) (?:text|sentence|review|comment|article|paragraph|letter|code)\W*$", re.IGNORECASE
)
NOTE_BELOW = 0.75  # probability of a task from which on a turn that tells something is worked on, not remembered
_IN_TEXT = ("file", "text", "numbers")  # what is asked for and is no field of `input`
ASSISTANT = "assistant"  # the skill of those who answer anything


class Least(Struct, frozen=True):
    """How near an agent must be so that it may be chosen, and so that a task is clearly of its kind."""

    fit: float = MINIMUM_FIT
    clear: float = 0.2


class Helper(Struct, frozen=True):
    """An agent that may be chosen: its kinds of tasks, how near it is, what it must find in `input`, and how near it must be.

    `asks`: those fields of `input` that a person can be asked for, each with what it is; others are for programs.
    """

    id: str
    description: str
    skills: tuple[str, ...]
    fit: float
    required: tuple[str, ...] = ()
    least: Least = Least()
    asks: Mapping[str, str] = {}


class Turn(Struct, frozen=True):
    """What is known when a turn is decided: `pending` is the task about which we asked back last, `missing` what we asked for.

    `before`: the task that was answered just before, if the last answer was one's. `team`: the kind of task of whoever splits
    tasks, where the text asks for several things that no agent does alone.
    """

    text: str
    files: int
    sorted: Sorted
    helpers: tuple[Helper, ...]
    pending: str | None = None
    missing: tuple[str, ...] = ()
    given: Mapping[str, Any] = {}
    before: Before | None = None
    team: str | None = None
    media: tuple[str, ...] = ()
    splits: str | None = None


class Do(Struct, frozen=True):
    """Give this task to an agent that can do its kind; None: to one whose description fits. `said` was told besides."""

    text: str
    kind: str | None = None
    input: Mapping[str, Any] = {}
    said: tuple[Said, ...] = ()


class AskBack(Struct, frozen=True):
    """Something is missing; `pending` is the task that waits for it."""

    question: str
    pending: str
    missing: tuple[str, ...] = ()


class Recall(Struct, frozen=True):
    """The user asks for what is remembered."""

    text: str


class Note(Struct, frozen=True):
    """The user told something to be remembered, and asked for nothing; `method` is what read it out."""

    said: tuple[Said, ...]
    method: str = METHOD


class Forget(Struct, frozen=True):
    """The user wants something forgotten that they told."""

    what: str


class Leave(Struct, frozen=True):
    """The user lets our question be."""


class Talk(Struct, frozen=True):
    """The user talks."""

    text: str


Decision = Do | AskBack | Recall | Note | Forget | Leave | Talk


def decide(turn: Turn) -> Decision:
    """Return what to do with a turn."""
    text = turn.text.strip()
    if turn.pending is not None and not _instead(turn, turn.pending, text):
        return Leave() if never_mind(text) else _completed(turn, turn.pending, text)
    turn = replace(turn, pending=None, missing=())
    if (what := to_forget(text)) is not None:
        return Forget(what)
    if (what := asked_to_remember(text)) is not None and not turn.files:
        return Note(tuple(told(text)) or (note(what),))
    if asks_memory(text):
        return Recall(text)
    if turn.before is not None and not turn.files and (whole := followed(text, turn.before)) is not None:
        return Do(whole, turn.before.kind, turn.given)
    if said := tuple(told(text)):
        return _beside(turn, text, said)
    return _worked_on(turn, text)


def never_mind(text: str) -> bool:
    """Say whether somebody lets a question of ours be."""
    return len(text.split()) <= _MOST_SPARE and bool(_NEVER_MIND.search(text))


def _instead(turn: Turn, pending: str, text: str) -> bool:
    """Say whether a short turn asks for something else that is whole, rather than bring what we asked for."""
    seen, wanted = shown(text, turn.files, _kinds(turn)), shown(pending, turn.files, _kinds(turn))
    if seen is None or seen.missing is not None or "numbers" in turn.missing or len(text.split()) > _MOST_SPARE:
        return False
    return asks(text) and (wanted is None or wanted.kind != seen.kind)


def _beside(turn: Turn, text: str, said: tuple[Said, ...]) -> Decision:
    """Return what to do with a turn that tells something of its speaker: note it, and do what it asks for besides."""
    asked = besides(text)
    inner: Decision = _worked_on(replace(turn, text=asked), asked) if asked else Note(said)
    surely = shown(asked) is not None or turn.sorted.task_probability >= NOTE_BELOW
    return replace(inner, said=said) if isinstance(inner, Do) and surely else Note(said)


def _worked_on(turn: Turn, text: str) -> Decision:
    """Return the task that a turn is, the question for what it lacks, or that it is talk."""
    if turn.team is not None and not turn.files and not turn.given:
        return Do(text, turn.team)
    seen = shown(text, turn.files, _kinds(turn))
    if seen is not None and seen.question is not None and seen.missing is not None:
        return AskBack(seen.question, text, (seen.missing,))
    told_to = _TOLD_TO.match(text) is not None and len(text.split()) > 2
    if turn.sorted.sort == "talk" and not turn.files and seen is None and not told_to:
        return Talk(text)
    given = {"text": seen.material, **turn.given} if seen is not None and seen.material is not None else turn.given
    return (None if seen else _missing(turn, text)) or Do(text, kind_of(turn), given)


def may_tell(turn: Turn, decision: Decision) -> bool:
    """Say whether a turn may tell something of its speaker: talk and notes, and what is hardly a task and stands alone."""
    if isinstance(decision, Do):
        alone = not decision.said and turn.pending is None and turn.before is None
        return alone and not turn.files and turn.sorted.task_probability < NOTE_BELOW
    return isinstance(decision, Note | Talk)


def _completed(turn: Turn, pending: str, text: str) -> Do:
    """Return the task that waited, with what was asked for: a field of its input, or more of its text."""
    fields = [name for name in turn.missing if name not in _IN_TEXT]
    if len(fields) == 1:
        given = {**turn.given, fields[0]: text}
        return Do(pending, kind_of(replace(turn, given=given)), given)
    return Do(completed(pending, text, turn.missing), kind_of(turn), turn.given)


def completed(pending: str, text: str, missing: Sequence[str]) -> str:
    """Return a task with what it waited for: an expression is all there is to do, and figures go on with the sentence."""
    if "numbers" not in missing:
        return f"{pending}\n{text}"
    seen, wanted = shown(text), shown(pending)
    if seen is not None and wanted is not None and seen.kind == wanted.kind == "arithmetic":
        return text
    return f"{pending.rstrip(' ?.!:')} of {text}" if re.match(r"\W*\d", text) else f"{pending}\n{text}"


def kind_of(turn: Turn) -> str | None:
    """Return what kind of task it is: that of the agent whose description is nearest, of those that have what they need.

    What is near to none is for an assistant, where there is one. The selector chooses among all that can do the kind.
    """
    able = [one for one in turn.helpers if set(one.required) <= set(turn.given)]
    kinds = _kinds(turn)
    whole = f"{turn.pending or ''}\n{turn.text}"
    seen = shown(turn.pending or turn.text, turn.files, kinds) or shown(whole, turn.files, kinds)
    by_files = brought.kind_of(turn.media, seen.kind if seen is not None else None, kinds, turn.splits)
    if by_files is not None:
        return by_files
    if seen is not None:
        return seen.kind
    best = max(able, key=lambda one: (one.fit, one.id), default=None)
    if best is not None and best.fit >= best.least.clear and best.skills:
        return best.skills[0]
    return ASSISTANT if any(ASSISTANT in one.skills for one in able) else None


def _kinds(turn: Turn) -> frozenset[str]:
    """Return the kinds that somebody can do who has what they need."""
    return frozenset(kind for one in turn.helpers if set(one.required) <= set(turn.given) for kind in one.skills)


def _missing(turn: Turn, text: str) -> AskBack | None:
    """Return the question for what a task cannot be done without, if something is missing."""
    if _FILE.search(text) and not turn.files:
        return AskBack("Which file? Attach it with `/file PATH`, or paste what it says.", text, ("file",))
    if _BELOW.search(text) and not turn.files:
        return AskBack("Which text? Please paste it.", text, ("text",))
    able = any(set(one.required) <= set(turn.given) and one.fit >= one.least.fit for one in turn.helpers)
    lacking = [one for one in turn.helpers if one.fit >= one.least.clear and _lacks(one, turn.given)]
    best = max((one for one in lacking if can_be_asked(one, turn.given)), key=lambda one: (one.fit, one.id), default=None)
    if best is None or able:
        return None
    missing = _lacks(best, turn.given)
    asked = "; ".join(f"{name} ({best.asks[name].rstrip('. ')})" for name in missing)
    return AskBack(f"{best.id} needs this for that: {asked}. What is it?", text, missing)


def _lacks(one: Helper, given: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in one.required if name not in given)


def can_be_asked(one: Helper, given: Mapping[str, Any]) -> bool:
    """Say whether a person can say what an agent lacks: a field that is not described is for programs."""
    return all(name in one.asks for name in _lacks(one, given))


def nobody(text: str, helpers: Sequence[Helper]) -> AskBack:
    """Return the question for a task that no agent fits well enough: what there is, the nearest first."""
    nearest = sorted((one for one in helpers if can_be_asked(one, {})), key=lambda one: (-one.fit, one.id))[:5]
    there = "; ".join(f"{one.id}: {one.description.split('. ')[0].strip('. ')}" for one in nearest)
    if not there:
        return AskBack("No agent is there at all; `smolit agent list` shows whom you could resume.", text)
    return AskBack(f"No agent fits that well enough. What exactly is to be done? There are {there}.", text)
