"""The states of all policies, as every process that needs them follows them."""

from learning.book import PolicyKey
from learning.encoder import ENCODER_NAME
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.policies import DEFAULT
from smolit.process.place import Place
from streams.library import Library


def default_policy() -> PolicyKey:
    """Return the policy that serves unless somebody says otherwise."""
    return PolicyKey.of(DEFAULT, {})


def library(place: Place, client_id: str, gather_s: float) -> Library:
    """Return the states of all policies, to be followed from the learning log."""
    context_map = ContextMap.load(ENCODER_NAME if place.settings.encoder == "minilm" else HashedEncoder().name)
    return Library(
        place.endpoints.kafka,
        client_id,
        place.names,
        default_policy(),
        context_map.width,
        context_map.digest,
        lambda features: context_map.apply(features.embedding, features.surface),
        make_reader=place.ports.reader,
        gather_s=gather_s,
    )
