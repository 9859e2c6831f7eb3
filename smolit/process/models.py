"""Models for workers: cards and judged outcomes out of the read models, and the policies that learned from these."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from agents.choosing import KnownModel, blank
from events.card import ModelCard
from events.task import Features
from learning.encoders import NAMES, Kind, context_map
from learning.features import ContextMap, FeatureError
from learning.models import Page, Told, fold, maker
from learning.once import once
from learning.policy import Context
from store.lent import Lent
from store.postgres import Connection

KEEP = 1_000  # judged outcomes of a subtask that a policy learns from: at least so many, below twice as many
FRESH_S = 1.0  # what was read is used so long


class ReadModels:
    """Reads what the projections know; what was said a moment ago is there when they have read it."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], encoder: Kind, timer: Callable[[], float]) -> None:
        self._lent, self._timer = Lent(connect), timer
        self._encoder = NAMES[encoder]
        self._map: Callable[[], ContextMap] = once(lambda: context_map(encoder))
        self._cards: dict[str, tuple[float, tuple[KnownModel, ...]]] = {}
        self._pages: dict[tuple[str, str, str, bytes], tuple[float, Page]] = {}
        self._turn = asyncio.Lock()

    async def known(self, tenant: str) -> tuple[KnownModel, ...]:
        """Return the models of a tenant by name, retired ones, too."""
        from projections.card import cards  # read models: workers do not need them before

        at, found = self._cards.get(tenant, (float("-inf"), ()))
        if self._timer() - at > FRESH_S:
            async with self._lent.connection() as connection:
                rows = await cards(connection, tenant)
            found = tuple(
                KnownModel(
                    msgspec.convert(row.card, ModelCard),
                    Features(row.features_version or "", row.embedding or b"", b""),
                    row.state != "active",
                )
                for row in rows
                if row.card is not None
            )
            self._cards[tenant] = (self._timer(), found)
        return found

    async def page(self, tenant: str, subtask: str, policy: str, settings: Mapping[str, float | str]) -> Page:
        """Return a policy that has learned the judged outcomes of a subtask; raises PolicyError for one that there is not."""
        key = (tenant, subtask, policy, msgspec.json.encode(dict(settings), order="deterministic"))
        async with self._turn:  # one thread folds, and who asks meanwhile has what it made
            at, before = self._pages.get(key, (float("-inf"), None))
            if before is not None and self._timer() - at <= FRESH_S:
                return before
            outcomes = await self._outcomes(tenant, subtask)
            page = await asyncio.to_thread(fold, outcomes, maker(policy, settings), self._map().width, before)
            self._pages[key] = (self._timer(), page)
            return page

    def context(self, features: Features | None) -> Context:
        """Return the context of a text's features; of none, or of another encoder's, one that says nothing."""
        if features is None or not features.version.startswith(f"{self._encoder}:"):
            return blank(self._map().width)
        try:
            return self._map().apply(features.embedding, features.surface)
        except FeatureError:
            return blank(self._map().width)

    async def close(self) -> None:
        """Disconnect."""
        await self._lent.close()

    async def _outcomes(self, tenant: str, subtask: str) -> list[Told]:
        from projections.card import judged

        async with self._lent.connection() as connection:
            rows = await judged(connection, tenant, subtask, KEEP)
        return [
            Told(
                place=(row.task_id, row.attempt, row.step),
                model=row.model,
                domain=row.domain,
                context=self.context(Features(row.features_version, row.embedding, row.surface)),
                probability=row.probability,
                reward=row.reward_micro / 1e6,
                fit=row.fit,
            )
            for row in rows
        ]
