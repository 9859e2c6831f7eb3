"""Read and write what the tracker holds, through MLflow's own stores, so that its tables are as it makes them.

Each write is looked up first and done only where something is missing or other, so whatever was begun can be done again.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

from sqlalchemy.exc import SQLAlchemyError

from smolit.errors import TrackerUnusable
from smolit.tracking.content import ID_TAG, PREFIX, Content, Line, Run, Version
from smolit.tracking.library import Library, library

ARTEFACTS = "smolit:/models"  # nothing loads from there: artefacts are read by `smolit.model` alone
_POSITION = f"{PREFIX}next_offset"
_DEFAULT = "0"  # the experiment that MLflow always has
_THEIRS = "mlflow."  # tags that MLflow writes for itself
_NOBODY = ""
_PAGE = 1_000


class _Found(NamedTuple):
    """What there is of one scope, and MLflow's own names of it."""

    experiment: str | None
    has_model: bool
    run_ids: Mapping[str, str]
    line: Line


class Keeper:
    """MLflow's two stores over one address. All methods raise TrackerUnusable where its tables cannot be used."""

    def __init__(self, lib: Library, runs: Any, models: Any) -> None:
        self._lib, self._runs, self._models = lib, runs, models

    @classmethod
    @contextmanager
    def open(cls, address: str) -> Iterator[Self]:
        """Open the stores, and close them again; they make their tables where there are none.

        Raises:
            TrackingLibraryMissing: MLflow is not installed.
        """
        lib = library()
        with _named_errors(lib):
            runs, models = lib.runs(address, ARTEFACTS), lib.models(address)
        try:
            yield cls(lib, runs, models)
        finally:
            for store in (runs, models):
                store.engine.dispose()

    def position(self) -> int:
        """Return the offset of the next fact that was not tracked yet; 0: none was."""
        with _named_errors(self._lib):
            return int(self._runs.get_experiment(_DEFAULT).tags.get(_POSITION, 0))

    def settle(self, position: int) -> None:
        """Write down that all facts before an offset are tracked."""
        with _named_errors(self._lib):
            self._runs.set_experiment_tag(_DEFAULT, self._lib.entities.ExperimentTag(_POSITION, str(position)))

    def held(self) -> Content:
        """Return all that is tracked, by scope; what somebody else put there is in it, too."""
        with _named_errors(self._lib):
            names = {one.name for one in _all(self._runs.search_experiments) if one.experiment_id != _DEFAULT}
            names |= {one.name for one in _all(self._models.search_registered_models)}
            return {name: Line() if "'" in name else self._find(name).line for name in sorted(names)}  # no name of ours has one

    def put(self, name: str, wanted: Line) -> None:
        """Make what is tracked of a scope what it is to be; what is right already is left alone."""
        with _named_errors(self._lib):
            found = self._find(name)
            if found.line == wanted:
                return
            experiment = found.experiment or self._runs.create_experiment(name, ARTEFACTS)
            run_ids = {key: self._put_run(experiment, key, run, found) for key, run in wanted.runs.items()}
            if wanted.tags and not found.has_model:  # trials have none
                self._models.create_registered_model(name)
            for number, version in wanted.versions.items():
                self._put_version(name, number, version, found.line.versions.get(number), run_ids[version.tags[ID_TAG]])
            self._put_aliases(name, wanted.aliases, found.line.aliases)
            for key, told in _news(wanted.tags, found.line.tags):
                self._models.set_registered_model_tag(name, self._lib.registry.RegisteredModelTag(key, told))

    def _put_run(self, experiment: str, key: str, run: Run, found: _Found) -> str:
        """Write a run, or what a killed writer left out of it; return MLflow's id of it."""
        entities, held = self._lib.entities, found.line.runs.get(key)
        run_id = found.run_ids.get(key)
        if run_id is None:
            tags = [entities.RunTag(ID_TAG, key)]
            run_id = str(self._runs.create_run(experiment, _NOBODY, run.at_ms, tags, run.name).info.run_id)
        if run != held:
            self._runs.log_batch(
                run_id,
                [entities.Metric(name, told, run.at_ms, 0) for name, told in _news(run.metrics, held.metrics if held else {})],
                [entities.Param(name, told) for name, told in _news(run.params, held.params if held else {})],
                [entities.RunTag(name, told) for name, told in _news(run.tags, held.tags if held else {})],
            )
            self._runs.update_run_info(run_id, entities.RunStatus.FINISHED, run.at_ms, run.name)
        return run_id

    def _put_version(self, name: str, number: str, version: Version, held: Version | None, run_id: str) -> None:
        if held is None:
            made = self._models.create_model_version(name, version.source, run_id)
            if str(made.version) != number:
                raise TrackerUnusable(_foreign(f"version {number} of {name!r} got the number {made.version}"))
        for key, told in _news(version.tags, held.tags if held else {}):
            self._models.set_model_version_tag(name, number, self._lib.registry.ModelVersionTag(key, told))
        for key in sorted((held.tags.keys() if held else set()) - version.tags.keys()):
            self._models.delete_model_version_tag(name, number, key)

    def _put_aliases(self, name: str, wanted: Mapping[str, str], held: Mapping[str, str]) -> None:
        for alias in sorted(held.keys() - wanted.keys()):
            self._models.delete_registered_model_alias(name, alias)
        for alias, number in _news(wanted, held):
            self._models.set_registered_model_alias(name, alias, number)

    def _find(self, name: str) -> _Found:
        """Read what there is of one scope."""
        experiment = self._runs.get_experiment_by_name(name)
        runs = _all(self._search_runs, [experiment.experiment_id]) if experiment else []
        keyed = {run.data.tags.get(ID_TAG, run.info.run_id): run for run in runs}
        model = next((one for one in _all(self._models.search_registered_models, _quoted(name)) if one.name == name), None)
        versions = _all(self._models.search_model_versions, _quoted(name)) if model else []
        line = Line(
            tags=dict(model.tags) if model else {},
            runs={key: _run(run) for key, run in keyed.items()},
            versions={str(one.version): Version(one.source, dict(one.tags)) for one in versions},
            aliases={alias: str(number) for alias, number in model.aliases.items()} if model else {},
        )
        run_ids = {key: str(run.info.run_id) for key, run in keyed.items()}
        return _Found(experiment.experiment_id if experiment else None, model is not None, run_ids, line)

    def _search_runs(self, experiments: list[str], *, max_results: int, page_token: str | None) -> Any:
        view = self._lib.entities.ViewType.ACTIVE_ONLY
        return self._runs.search_runs(experiments, "", view, max_results, None, page_token)


def _run(run: Any) -> Run:
    """Return a run as it is held; one that was not finished has no time, so it is no run of ours yet."""
    whole = run.info.status == "FINISHED" and run.info.start_time == run.info.end_time
    return Run(
        name=run.info.run_name,
        at_ms=run.info.start_time if whole else -1,
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        tags={key: told for key, told in run.data.tags.items() if not key.startswith(_THEIRS)},
    )


def _news(wanted: Mapping[str, Any], held: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what is missing or other, sorted."""
    return [(key, told) for key, told in sorted(wanted.items()) if key not in held or held[key] != told]


def _all(search: Callable[..., Any], *asked: Any) -> list[Any]:
    """Return every page of a search."""
    found, token = [], None
    while True:
        page = search(*asked, max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _quoted(name: str) -> str:
    return f"name = '{name}'"


def _foreign(what: str) -> str:
    return f"{what}: somebody else wrote to the tracker; `smolit model track --rebuild` makes it anew"


@contextmanager
def _named_errors(lib: Library) -> Iterator[None]:
    """Turn what MLflow and SQLAlchemy raise into one sentence."""
    try:
        yield
    except (lib.error, SQLAlchemyError) as error:
        first = str(error).strip().partition("\n")[0]
        raise TrackerUnusable(f"the tracker cannot be used now, and catches up later: {first[:300]}") from error
