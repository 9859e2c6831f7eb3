"""The local model's server: `xllamacpp`'s own OpenAI-compatible one, on loopback, in this process, with a key.

It must be the only one in its process, which ends with it: what it computes with is not Python's to stop.
"""

from typing import Any

from msgspec import Struct

from agents.llm.weights import MODEL, Weights

HOST = "127.0.0.1"
CONTEXT = 4096  # tokens that prompt and answer may have together
# Two at a time were answered no faster on busy cores (0.92 times), and a third of the answers came out otherwise than alone.
AT_A_TIME = 1
REPEAT_PENALTY = 1.1  # so small a model goes round in circles without it


class Served(Struct, frozen=True):
    """A server that answers: where, and what must be kept alive for it."""

    port: int
    keep: Any


def serve(weights: Weights, key: str, threads: int) -> Served:
    """Load the model and serve it on a port that the system chooses; takes about a second and 250 MB.

    More threads than free cores wait for each other in circles: two on two busy cores were twenty times slower than one.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights.path)
    params.model_alias = {MODEL}
    params.hostnames, params.port, params.api_keys = [HOST], 0, [key]
    params.n_parallel, params.n_ctx = AT_A_TIME, CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0  # prompts of others need not be kept beside
    params.use_jinja, params.offline, params.ui = True, True, False
    params.endpoint_metrics, params.endpoint_slots, params.endpoint_props = True, False, False
    params.sampling.penalty_repeat = REPEAT_PENALTY
    params.verbosity = 0
    server = xllamacpp.Server(params)
    return Served(int(str(server.listening_address).rpartition(":")[2]), server)
