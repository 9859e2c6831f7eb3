"""The states of all policies, as every process that needs them follows them."""

from collections.abc import Mapping
from functools import lru_cache

from learning.book import PolicyKey
from learning.encoders import context_map
from learning.network import Shelf
from learning.policies import DEFAULT
from smolit.folder import networks_in
from smolit.process.place import Place
from streams.library import Library

_REMEMBERED = 1_000  # contexts: two megabytes with what they were made from


def default_policy() -> PolicyKey:
    """Return the policy that serves unless somebody says otherwise."""
    return PolicyKey.of(DEFAULT, {})


def settings_in(key: PolicyKey) -> Mapping[str, float | str]:
    """Return every setting of a policy by name, those that nobody gave too."""
    return key.make(1).settings


def library(place: Place, client_id: str, gather_s: float) -> Library:
    """Return the states of all policies, to be followed from the learning log."""
    seen = context_map(place.settings.encoder)
    apply = lru_cache(_REMEMBERED)(seen.apply)  # the task that was chosen for comes back as an example
    return Library(
        place.endpoints.kafka,
        client_id,
        place.names,
        default_policy(),
        seen.width,
        seen.digest,
        lambda features: apply(features.embedding, features.surface),
        make_reader=place.ports.reader,
        gather_s=gather_s,
        networks=Shelf(networks_in(place.settings.data_dir)),
    )
