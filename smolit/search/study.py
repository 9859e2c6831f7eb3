"""The one door to Optuna: which setting is to be tried next. What was tried is told it from our own facts.

One sampler for each trial, seeded by the search's seed, the arm and the number, so that a trial is the same whoever asks,
and whatever was killed meanwhile: it depends on the trials before it alone.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from events.model import Arm
from events.search import Dimension
from smolit.errors import StudyUnusable
from smolit.search.trial import Scored, Trial

_STATES = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
_STARTUP = 8  # trials that are drawn at random before the sampler guides


@contextmanager
def open_storage(address: str | None) -> Iterator[BaseStorage]:
    """Yield where studies lie: an address of Postgres, or this process's memory; raises StudyUnusable."""
    if address is None:
        yield InMemoryStorage()
        return
    try:
        storage = RDBStorage(address)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise StudyUnusable(f"Optuna's tables cannot be used: {str(error).partition(chr(10))[0]}") from error
    try:
        yield storage
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise StudyUnusable(
            f"Optuna's tables were lost on the way; --resume goes on: {str(error).partition(chr(10))[0]}"
        ) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


class Study:
    """One arm of a search in Optuna's storage."""

    def __init__(
        self, storage: BaseStorage, name: str, arm: Arm, space: Sequence[Dimension], seed: int, first: dict[str, Any] | None
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # of its own studies; ours are told by who runs them
        self._arm, self._seed, self._first = arm, seed, first
        self._distributions = {one.name: _distribution(one) for one in space}
        self._study = optuna.create_study(
            storage=storage, study_name=f"{name}/{arm}", direction="maximize", load_if_exists=True, sampler=self._sampler(0)
        )

    def ask(self, number: int, first: int) -> dict[str, Any]:
        """Return the setting of a trial whose round began at `first`; one that was asked for and never told is the same again.

        What others of the round came to is not looked at, whether it is known or not.

        Raises:
            StudyUnusable: the storage holds other trials than were asked for.
        """
        known = self._known()
        if number in known:
            return dict(known[number].params)
        if number != len(known):
            raise StudyUnusable(f"trial {number} cannot be asked for: {len(known)} are known")
        parameters = self._proposed(number, first, known)
        self._study.add_trial(self._frozen(parameters))  # at once: nobody who is killed leaves half a setting
        return parameters

    def tell(self, trial: Trial) -> None:
        """Tell what came of a trial; one that was told before is passed over, one that the storage lacks is put in.

        Raises:
            StudyUnusable: a trial before it is missing.
        """
        known = self._known()
        if trial.number not in known:
            if trial.number != len(known):
                raise StudyUnusable(f"trial {trial.number} cannot be told: {len(known)} are known")
            self._study.add_trial(self._frozen(trial.parameters, trial.scored))
        elif not known[trial.number].state.is_finished():
            self._finish(known[trial.number], trial.scored)

    def _known(self) -> dict[int, FrozenTrial]:
        return {one.number: one for one in self._study.get_trials(deepcopy=False)}

    def _proposed(self, number: int, first: int, known: Mapping[int, FrozenTrial]) -> dict[str, Any]:
        """Ask a sampler that knows the rounds before, and which settings are being tried in this one."""
        if number == 0 and self._first is not None:
            return dict(self._first)
        apart = optuna.create_study(storage=InMemoryStorage(), direction="maximize", sampler=self._sampler(number))
        for place in range(number):
            apart.add_trial(known[place] if place < first else self._frozen(known[place].params))
        return dict(apart.ask(self._distributions).params)

    def _finish(self, running: FrozenTrial, scored: Scored) -> None:
        live = optuna.trial.Trial(self._study, running._trial_id)
        for step, reached in enumerate(scored.steps):
            if step not in running.intermediate_values:
                live.report(reached, step)
        self._study.tell(running.number, scored.score, state=_STATES[scored.state])

    def _frozen(self, parameters: dict[str, Any], scored: Scored | None = None) -> FrozenTrial:
        """Return a trial as Optuna keeps it: one that is being made, unless it is told what came of it."""
        return optuna.trial.create_trial(
            state=_STATES[scored.state] if scored else TrialState.RUNNING,
            value=scored.score if scored else None,
            params=parameters,
            distributions=self._distributions,
            intermediate_values=dict(enumerate(scored.steps)) if scored else None,
        )

    def _sampler(self, number: int) -> BaseSampler:
        seed = int.from_bytes(hashlib.sha256(f"{self._seed} {self._arm} {number}".encode()).digest()[:4], "big")
        if self._arm == "random":
            return RandomSampler(seed)
        return TPESampler(seed=seed, constant_liar=True, n_startup_trials=_STARTUP)


def _distribution(one: Dimension) -> BaseDistribution:
    if one.values:
        return CategoricalDistribution(one.values)
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)
