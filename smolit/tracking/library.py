"""The one door to MLflow's package: imported when it is asked for, silent, and telling nobody that it is used."""

import logging
import os
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from smolit.errors import TrackingLibraryMissing

# Read when the package is imported: no telemetry, and no handlers of its own on our standard error.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_CONFIGURE_LOGGING": "false"}
_LOUD = ("mlflow", "alembic")


class Library(NamedTuple):
    """What we use of MLflow: two stores, what goes into them, and what they raise."""

    runs: Any
    models: Any
    entities: Any
    registry: Any
    error: type[Exception]


def library() -> Library:
    """Import MLflow's stores, which takes seconds and some 130 MB; never its clients and loaders.

    Raises:
        TrackingLibraryMissing: it is not installed.
    """
    if find_spec("mlflow") is None:
        raise TrackingLibraryMissing("MLflow is not installed; `make install-tracking` installs it, and nothing else needs it")
    os.environ.update(_QUIET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is not ours to mend
        found = Library(
            runs=import_module("mlflow.store.tracking.sqlalchemy_store").SqlAlchemyStore,
            models=import_module("mlflow.store.model_registry.sqlalchemy_store").SqlAlchemyStore,
            entities=import_module("mlflow.entities"),
            registry=import_module("mlflow.entities.model_registry"),
            error=import_module("mlflow.exceptions").MlflowException,
        )
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    return found
