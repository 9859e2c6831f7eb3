"""Every topic there is: name, partitions, clean-up and retention. Nothing is created by the broker on demand.

Facts are kept for ever and never compacted, so that every read model and every policy can be recomputed from them.
"""

from collections.abc import Sequence

from msgspec import Struct

MAJOR = "v1"
KEEP_FOR_EVER = "-1"
# Room for a request's inline limit (900 kB) in base64-heavy facts; the broker's own limit is above it.
MAX_RECORD_BYTES = 1_500_000
# A dead letter carries the original in base64, with its headers.
MAX_DEAD_LETTER_BYTES = 3_000_000


class Topic(Struct, frozen=True, kw_only=True):
    """One topic: its entity is the middle of its name; `partitions` is pinned, growth means a new major version.

    `segment_bytes`: the broker deletes whole segments, so what is to go soon needs small ones; None: the broker's own size.
    """

    entity: str
    partitions: int
    cleanup: str = "delete"
    retention_ms: str = KEEP_FOR_EVER
    segment_bytes: int | None = None
    max_bytes: int = MAX_RECORD_BYTES
    stamped_by_broker: bool = False
    holds: str

    @property
    def is_kept(self) -> bool:
        """Return whether every record stays where it is, for ever."""
        return self.cleanup == "delete" and self.retention_ms == KEEP_FOR_EVER

    @property
    def config(self) -> dict[str, str]:
        """Return the broker settings that are asserted at every start."""
        stamps = {"message.timestamp.type": "LogAppendTime"} if self.stamped_by_broker else {}
        segments = {"segment.bytes": str(self.segment_bytes)} if self.segment_bytes is not None else {}
        return {
            **stamps,
            **segments,
            "cleanup.policy": self.cleanup,
            "retention.ms": self.retention_ms,
            "retention.bytes": "-1",
            "max.message.bytes": str(self.max_bytes),
        }


REQUESTS = Topic(entity="requests", partitions=8, holds="what outsiders ask; any key, any partitioner")
TASKS = Topic(entity="tasks", partitions=8, holds="every fact about one task, keyed by task id")
ANSWERS = Topic(entity="answers", partitions=8, holds="the end of each task, or the refusal of a request")
AGENTS = Topic(entity="agents", partitions=1, holds="agents registered, revised, paused, resumed, retired")
LEARNING = Topic(entity="learning", partitions=8, holds="examples and snapshots; one ordered partition per scope")
MODELS = Topic(entity="models", partitions=1, holds="which policy serves, the versions that may, searches, and model cards")
EXPERIMENTS = Topic(entity="experiments", partitions=1, holds="experiments and calibrations, started and over")
KNOWLEDGE = Topic(entity="knowledge", partitions=1, holds="documents asked for, taken in and removed, with chunks and vectors")
CONVERSATIONS = Topic(
    entity="conversations", partitions=8, holds="messages, keys and memories; keyed by conversation, sender or user"
)
AGENTS_LIVE = Topic(entity="agents.live", partitions=1, cleanup="compact", retention_ms="86400000", holds="heartbeats of workers")
WORK = Topic(entity="work", partitions=4, retention_ms="86400000", holds="attempts for workers elsewhere; a topic for each pool")
PIECES = Topic(
    entity="pieces",
    partitions=1,
    retention_ms="600000",
    segment_bytes=8_388_608,
    holds="pieces of answers for whoever watches them being made; gone after ten minutes",
)
CLOCK = Topic(
    entity="clock",
    partitions=1,
    retention_ms="3600000",
    stamped_by_broker=True,
    holds="nothing: the broker's stamp on an empty record says what time it has",
)

FACT_TOPICS: tuple[Topic, ...] = (TASKS, AGENTS, LEARNING, MODELS, EXPERIMENTS, KNOWLEDGE, CONVERSATIONS)
# What every selector reads to its end before it chooses: small, and folded whole by each process.
CONTROL_TOPICS: tuple[Topic, ...] = (AGENTS, EXPERIMENTS, MODELS)
TOPICS: tuple[Topic, ...] = (REQUESTS, *FACT_TOPICS, ANSWERS, AGENTS_LIVE, PIECES, CLOCK)
# Topics whose records can end as dead letters, each with a `.dlq` beside it.
WITH_DEAD_LETTERS: tuple[Topic, ...] = (REQUESTS, *FACT_TOPICS)
DEFAULT_TENANT = "default"
_DEAD_LETTER_SUFFIX = ".dlq"


class Names(Struct, frozen=True):
    """Topic names under one prefix (`smolit` unless the settings say otherwise)."""

    prefix: str = "smolit"

    def of(self, topic: Topic) -> str:
        """Return `<prefix>.<entity>.v<major>`."""
        return f"{self.prefix}.{topic.entity}.{MAJOR}"

    def places(self, *topics: Topic) -> list[tuple[str, int]]:
        """Return every partition of some topics: name and number."""
        return [(self.of(topic), number) for topic in topics for number in range(topic.partitions)]

    def requests_of(self, tenant: str) -> str:
        """Return the request topic of one tenant; the default tenant has the plain name."""
        middle = REQUESTS.entity if tenant == DEFAULT_TENANT else f"{REQUESTS.entity}.{tenant}"
        return f"{self.prefix}.{middle}.{MAJOR}"

    def tenant_of(self, topic_name: str) -> str:
        """Return the tenant that writes to this request topic: the topic decides, never a header."""
        middle = topic_name.removeprefix(f"{self.prefix}.").removesuffix(f".{MAJOR}")
        return middle.removeprefix(REQUESTS.entity).removeprefix(".") or DEFAULT_TENANT

    def work_of(self, tenant: str, pool: str) -> str:
        """Return the topic of a pool that lives elsewhere; those of the default tenant are named after the pool alone."""
        middle = pool if tenant == DEFAULT_TENANT else f"{tenant}.{pool}"
        return f"{self.prefix}.{WORK.entity}.{middle}.{MAJOR}"

    def dead_letters_of(self, topic_name: str) -> str:
        """Return the dead-letter topic beside a topic; what is wrong with a dead letter is told on its own topic."""
        return topic_name if topic_name.endswith(_DEAD_LETTER_SUFFIX) else topic_name + _DEAD_LETTER_SUFFIX

    def all(self, tenants: Sequence[str]) -> dict[str, Topic]:
        """Return every topic to provision by name: facts, requests per tenant, and their dead letters."""
        plain = {self.of(topic): topic for topic in TOPICS if topic is not REQUESTS}
        asked = {self.requests_of(tenant): REQUESTS for tenant in tenants}
        sick = [*asked, *(self.of(topic) for topic in FACT_TOPICS)]
        return {**plain, **asked, **{self.dead_letters_of(name): _DEAD_LETTERS for name in sick}}

    def kept(self, tenants: Sequence[str]) -> list[str]:
        """Return the topics that are kept for ever, sorted: positions, claims and snapshots are places in them."""
        return sorted(name for name, topic in self.all(tenants).items() if topic.is_kept)


def max_bytes_of(topic_name: str) -> int:
    """Return how large a record of a topic may be."""
    return MAX_DEAD_LETTER_BYTES if topic_name.endswith(_DEAD_LETTER_SUFFIX) else MAX_RECORD_BYTES


_DEAD_LETTERS = Topic(
    entity="dlq",
    partitions=1,
    max_bytes=MAX_DEAD_LETTER_BYTES,
    holds="records that could not be handled, with reason and origin",
)
