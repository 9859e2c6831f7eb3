"""What an event says, in a few words for people; payloads come as plain dictionaries, from Kafka or from SQL."""

from collections.abc import Callable, Mapping
from typing import Any

from events.text import plain
from smolit.cli.plan_words import PLAN_WORDS
from smolit.cli.words_ask import ASK_WORDS
from smolit.cli.words_talk import WORDS

Payload = Mapping[str, Any]

_SHORT = 100


def words(name: str, payload: Payload) -> str:
    """Return one line about an event; a type without words of its own is named."""
    say = _WORDS.get(name)
    return plain(say(payload), 600) if say else name


def _submitted(said: Payload) -> str:
    text = said.get("text")
    what = plain(text, _SHORT) if text else f"{said['text_chars']} characters, kept apart"
    kind = f" (kind {said['kind']})" if said.get("kind") else ""
    again = said.get("copy_of")
    copied = f" as a copy of {again['task_id']} for calibration {again['calibration']}" if again else ""
    asked = f" for {said['agent']}" if said.get("agent") else ""
    return f"submitted{kind}{asked}{copied}: {what}"


def _admitted(said: Payload) -> str:
    assigned = said["context"].get("assignment")
    variant = f", variant {assigned['variant']} of experiment {assigned['experiment']}" if assigned else ""
    return f"admitted: language {said['language']}{variant}{_dial(said['context'].get('reward'))}"


def _dial(terms: Payload | None) -> str:
    """Say what the reward weighs besides quality."""
    weights = {name: terms[f"{name}_weight"] for name in ("cost", "latency")} if terms else {}
    told = [f"{name} {weight:g}" for name, weight in weights.items() if weight]
    return f", reward weighs {' and '.join(told)}" if told else ""


def _chosen(said: Payload) -> str:
    policy, others = said["policy"], len(said["candidates"]) - 1
    return (
        f"attempt {said['attempt']}: {said['agent']} chosen with probability {said['propensity']:.3g} before {others} others "
        f"by {policy['name']} v{policy['version']}"
    )


def _started(said: Payload) -> str:
    return f"attempt {said['attempt']}: begun by {said['worker']}"


def _attempt_ended(said: Payload) -> str:
    why = f": {said['error']}" if said.get("error") else ""
    return (
        f"attempt {said['attempt']}: {said['outcome']} after {said['duration_us'] / 1000:.1f} ms{_used(said)}{_called(said)}{why}"
    )


def _used(said: Payload) -> str:
    """Say which models were chosen, and how likely that was."""
    told = [f"{one['model']} ({one['probability']:.3g})" for step in said.get("steps", ()) if (one := step.get("choice"))]
    return f", by model {', then '.join(told)}" if told else ""


def _called(said: Payload) -> str:
    """Say which tools were called, and which calls brought nothing."""
    calls = [step for step in said.get("steps", ()) if step["name"].startswith("tool:")]
    told = [step["name"].removeprefix("tool:") + (f" ({step['error']})" if step.get("error") else "") for step in calls]
    return f", called {', '.join(told)}" if told else ""


def _ended(said: Payload) -> str:
    why = ": ".join(str(part) for part in (said.get("reason"), said.get("detail")) if part)
    return f"{said['outcome']} after {said['attempts']} attempt(s){f' ({why})' if why else ''}"


def _forgotten(said: Payload) -> str:
    why = f": {said['reason']}" if said.get("reason") else ""
    return f"no longer found by likeness{why}"


def _feedback(said: Payload) -> str:
    told = [said["kind"], *(str(said[part]) for part in ("value", "comment", "correction") if said.get(part) is not None)]
    if other := said.get("against"):
        told.append(f"against {other['task_id']}{'/' + str(other['attempt']) if other.get('attempt') else ''}")
    if felt := said.get("sentiment"):
        told.append(f"sentiment {felt['compound']:.3g} by {felt['model']}")
    changed = f" (revision {said['revision']})" if said.get("revision") else ""
    return f"feedback of {said['rater']}{changed}: {', '.join(told)}"


def _example(said: Payload) -> str:
    before = f" instead of {said['old_reward']:.4g}" if "old_reward" in said else ""
    return f"example {said['sequence']} of scope {said['scope']}: {said['agent']} earned {said['reward']:.4g}{before}"


def _snapshot(said: Payload) -> str:
    return f"state of {said['policy']} stored for scope {said['scope']}, up to example {said['sequence']}"


def _agent(verb: str) -> Callable[[Payload], str]:
    def say(said: Payload) -> str:
        why = f": {said['reason']}" if said.get("reason") else ""
        return f"agent {said['agent_id']} {verb}{why}"

    return say


def _card(verb: str) -> Callable[[Payload], str]:
    def say(said: Payload) -> str:
        version = f"/{said['card']['version']}" if said.get("card") else ""
        why = f": {said['reason']}" if said.get("reason") else ""
        return f"model {said['name']}{version} {verb}{why}"

    return say


def _experiment_started(said: Payload) -> str:
    variants = ", ".join(f"{one['name']} ({one['policy']})" for one in said["variants"])
    return f"experiment {said['experiment_id']} started in scope {said['scope']}: {variants}"


def _calibration_started(said: Payload) -> str:
    copies = sum(len(one["agents"]) for one in said["tasks"])
    what = f"{len(said['tasks'])} past task(s) are done again in scope {said['scope']}, {copies} copies at most"
    return f"calibration {said['calibration_id']} started: {what}"


def _calibration_ended(said: Payload) -> str:
    cost = f"{said['cost_microusd'] / 1e6:.6g} dollars for {said['costed']} of them"
    sums = f"{said['copies']} copies, {said['judged']} judged, {cost}"
    return f"calibration {said['calibration_id']} ended ({said['why']}): {sums}; {said['reason']}"


def _policy_set(said: Payload) -> str:
    what = f"policy {said['policy']} put in force" if said.get("policy") else "the choice of the policy was given back"
    return f"{what} for scope {said['scope']} by {said['set_by']}: {said['reason']}"


def _model_registered(said: Payload) -> str:
    origin = said["origin"]
    learned = f"{origin['examples']} examples up to offset {origin['upto']}"
    return f"version {said['model_id']} of {origin['policy']} registered in scope {said['scope']}: {learned}"


def _model_judged(verb: str) -> Callable[[Payload], str]:
    return lambda said: f"version {said['model_id']} {verb}: {said['reason']}"


def _model_promoted(said: Payload) -> str:
    return (
        f"version {said['model_id']} is the {said['alias']} of scope {said['scope']} by {said['promoted_by']}: {said['reason']}"
    )


def _model_back(said: Payload) -> str:
    return (
        f"version {said['model_id']} is the champion of scope {said['scope']} again by {said['rolled_back_by']}: {said['reason']}"
    )


def _search_started(said: Payload) -> str:
    budget, names = said["budget"], ", ".join(one["name"] for one in said["space"])
    return (
        f"search {said['search_id']} for {names} of {said['policy']} in scope {said['scope']}: {budget['trials']} trials an arm"
    )


def _trial_ended(said: Payload) -> str:
    came = f"scored {said['score']:.4g}" if said.get("score") is not None else f"{said['state']}: {said['reason']}"
    return f"{said['arm']} trial {said['number']} of search {said['search_id']} {came}"


def _search_ended(said: Payload) -> str:
    return f"search {said['search_id']} ended ({said['why']}): {said['verdict']}"


def _refused(said: Payload) -> str:
    return f"request {said['request_id']} refused: {said['detail']} ({said['reason']})"


def _answer(said: Payload) -> str:
    return f"answer: {said['outcome']}{' by ' + said['agent'] if said.get('agent') else ''}"


_WORDS: Mapping[str, Callable[[Payload], str]] = {
    "task.submitted": _submitted,
    "document.submitted": lambda said: f"document {said['document_id']} for {said['domain']}: {said['size']} bytes",
    "document.chunked": lambda said: (
        f"document {said['document_id']} version {said['version']}: part {said['part']} of its pieces"
    ),
    "document.added": lambda said: (
        f"document {said['document_id']} version {said['version']} is found: {said['chunks']} piece(s)"
    ),
    "document.refused": lambda said: f"refused: {said['detail']} ({said['reason']})",
    "document.removed": lambda said: f"document {said['document_id']} {'deleted' if said['erased'] else 'found no more'}",
    "document.removal_requested": lambda said: f"removal of document {said['document_id']} asked for: {said['reason']}",
    "domain.created": lambda said: f"there is a domain {said['domain']}",
    "domain.clearing_requested": lambda said: f"clearing of {said['domain']} asked for: {said['reason']}",
    "domain.cleared": lambda said: f"{said['documents']} document(s) of {said['domain']} deleted",
    "reindex.requested": lambda said: f"vectors by {said['encoder']} asked for",
    "reindex.begun": lambda said: f"from here on there are vectors by {said['encoder']}, too",
    "chunks.embedded": lambda said: f"document {said['document_id']} version {said['version']}: vectors by {said['encoder']}",
    "index.switched": lambda said: f"vectors by {said['encoder']} serve",
    "task.admitted": _admitted,
    "agent.chosen": _chosen,
    "attempt.started": _started,
    "attempt.ended": _attempt_ended,
    "task.cancel_requested": lambda said: f"cancellation asked for by {said['requested_by']}: {said['reason']}",
    "task.forgotten": _forgotten,
    "task.ended": _ended,
    **PLAN_WORDS,
    **ASK_WORDS,
    "feedback.given": _feedback,
    "feedback.revised": _feedback,
    "example.recorded": _example,
    "example.superseded": _example,
    "snapshot.published": _snapshot,
    "agent.registered": _agent("registered"),
    "agent.revised": _agent("revised"),
    "agent.paused": _agent("paused"),
    "agent.resumed": _agent("resumed"),
    "agent.retired": _agent("retired"),
    "model_card.registered": _card("may be used"),
    "model_card.changed": _card("may be used in this version"),
    "model_card.retired": _card("is used no more"),
    "experiment.started": _experiment_started,
    "experiment.concluded": lambda said: f"experiment {said['experiment_id']} concluded: {said['reason']}",
    "calibration.started": _calibration_started,
    "calibration.ended": _calibration_ended,
    "search.started": _search_started,
    "trial.ended": _trial_ended,
    "search.ended": _search_ended,
    "policy.set": _policy_set,
    "model.registered": _model_registered,
    "model.validated": _model_judged("validated"),
    "model.rejected": _model_judged("rejected"),
    "model.promoted": _model_promoted,
    "model.rolled_back": _model_back,
    "request.refused": _refused,
    "answer.given": _answer,
    **WORDS,
}
