"""Side effects through the ledger: asked for once, or under one key, whatever dies in between."""

from collections.abc import Awaitable, Callable
from typing import Any

from agents.consent import AwaitsApproval, Consent, Question, approval_id, shown
from agents.errors import AgentFailed, EffectRefused, EffectUnanswered, EffectUnknown, EffectUnreached
from agents.pipeline import Effect
from events.ids import derived_id
from store import approval, ledger
from store.claim import Hold
from store.postgres import Connection

NOBODY = Consent()


class LedgerEffects:
    """The side effects of one claim of an attempt; `consent` says what a person of the tenant has to allow."""

    def __init__(self, connection: Connection, hold: Hold, tenant: str = "", consent: Consent = NOBODY) -> None:
        self._connection = connection
        self._hold = hold
        self._tenant, self._consent = tenant, consent

    async def once(self, effect: Effect, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Return the effect's result, from the ledger if it is known; `call` gets the provider's key.

        Raises:
            AwaitsApproval: a person is asked first, and has not answered.
            EffectUnknown: it may have happened, and the provider does not take our key.
            AgentFailed: it did not happen, or the provider that takes our key did not answer.
        """
        await self._allowed(effect)
        ask = self._ask(effect)
        entry = await ledger.begin(self._connection, ask)
        if entry is None:
            raise AgentFailed("lost_lease", "another worker has the attempt by now")
        if entry.request_sha256 != effect.request_sha256:
            raise AgentFailed("effect_changed", f"step {effect.step} asked for something else before")
        if entry.state == "done":
            return entry.result
        await self._refuse_doubt(ask, entry)
        return await self._call(ask, call)

    async def _allowed(self, effect: Effect) -> None:
        """Go on where nobody need be asked, or somebody said yes to exactly this."""
        why = effect.ask or ("rule" if self._consent.rules(self._tenant, effect.reach) else None)
        if why is None:
            return
        sha256 = effect.request_sha256
        name = approval_id(self._hold.task_id, self._hold.attempt, effect.target, sha256)
        match await approval.state(self._connection, name):
            case "granted":
                return
            case "denied":
                raise AgentFailed("not_approved", f"a person does not want {effect.target} to be called so")
            case "expired":
                raise AgentFailed("approval_expired", f"nobody said in time that {effect.target} may be called so")
        arguments = shown(effect.arguments, sha256)
        patience_s = self._consent.patience_s
        raise AwaitsApproval(Question(name, effect.target, effect.reach, why, arguments, sha256, patience_s))

    def _ask(self, effect: Effect) -> ledger.Ask:
        """Name the effect: every attempt of a task that asks the same of the same provider uses one key."""
        key = derived_id("effect", self._hold.task_id, effect.step, effect.target)
        return ledger.Ask(self._hold, effect.step, key, effect.target, effect.request_sha256, effect.idempotent)

    async def _refuse_doubt(self, ask: ledger.Ask, entry: ledger.Entry) -> None:
        """Go on only with an effect that nobody has begun, or that the provider does once however often it is asked."""
        if entry.state == "refused":
            raise AgentFailed("effect_refused", f"{ask.target} refused step {ask.step} before")
        if entry.state == "unknown" or not (entry.began or ask.idempotent):
            await ledger.settle(self._connection, ask, "unknown")
            raise EffectUnknown(f"{ask.target} may have done step {ask.step} before a crash or a restore, and takes no key")

    async def _call(self, ask: ledger.Ask, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Ask the provider, and write down how it went."""
        try:
            result = await call(ask.key)
        except EffectRefused as refusal:
            await ledger.settle(self._connection, ask, "refused")
            raise AgentFailed("effect_refused", str(refusal)) from refusal
        except EffectUnreached as distance:
            if not ask.idempotent:  # then nobody asked before either: it surely did not happen
                await ledger.settle(self._connection, ask, "refused")
            raise AgentFailed("provider_unreachable", str(distance)) from distance
        except EffectUnanswered as silence:
            if ask.idempotent:
                raise AgentFailed("provider_unavailable", str(silence)) from silence
            await ledger.settle(self._connection, ask, "unknown")
            raise EffectUnknown(str(silence)) from silence
        await ledger.settle(self._connection, ask, "done", result)
        return result
