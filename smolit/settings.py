"""Every setting of smolit, read once from the environment and from secret files, then passed down."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_cache_path
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bus.address import Address, Mechanism, Protocol, Security
from smolit.errors import SettingInvalid

PREFIX = "SMOLIT_"
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"  # says where the settings are, so it is not one of them
PROJECT = Path(__file__).resolve().parent.parent

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9*][A-Za-z0-9._-]{0,62})\s*=\s*(?P<text>.+)")
_HEADER_TEXT = re.compile(r"[!-~]{1,4096}")
LOCAL_NAME = "local"  # of the language model on this machine
_TOPIC_PART = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # goes into topic names, where "." separates

EVERYBODY = ""
PerTenant = Annotated[Mapping[str, float], NoDecode]
"""A number for everybody, and others for some tenants: `0.2, acme=0.5`."""

Named = Annotated[Mapping[str, str], NoDecode]
"""Texts by name, in order: `main=https://..., second=https://...`; one alone has the name `remote`."""

Port = Annotated[int, Field(ge=0, le=65535)]
ONE_REMOTE = "remote"


class Settings(BaseSettings):
    """What can be set, with the environment variable `SMOLIT_<NAME>` or the secret file `smolit_<name>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="forbid")

    data_dir: Path = Field(
        default=PROJECT / ".smolit",
        description="Folder of the local stack's data, logs and secrets; `.smolit` in the project folder by default.",
    )
    cache: Path = Field(
        default_factory=lambda: user_cache_path("smolit"),
        description="Folder of what is downloaded once (Kafka's jars); the user's cache folder by default.",
    )
    root_dir: Path = Field(
        default=Path("/var/lib/smolit"),
        description="Folder of Postgres when smolit runs as root and postgres_os_user cannot enter data_dir.",
    )
    kafka: str = Field(default="", description="Bootstrap servers of a Kafka to use (host:port,...); empty: the local stack's.")
    kafka_protocol: Protocol = Field(default="PLAINTEXT", description="How the Kafka named in SMOLIT_KAFKA is spoken to.")
    kafka_mechanism: Mechanism = Field(default="SCRAM-SHA-512", description="How we sign in, where the protocol is a SASL one.")
    kafka_user: str = Field(default="", description="User of that Kafka.")
    kafka_password: SecretStr = Field(default=SecretStr(""), validate_default=True, description="Password of that user.")
    kafka_ca: Path | None = Field(
        default=None, description="File of the certificates that are trusted there; empty: those of this machine."
    )
    kafka_replicas: int = Field(default=1, ge=1, le=10, description="Copies of each topic that we make; 3 in production.")
    postgres: SecretStr = Field(
        default=SecretStr(""), description="Address of a Postgres to use (libpq URL or DSN); empty: the local stack's."
    )
    topic_prefix: str = Field(default="smolit", description="First part of every topic and consumer group name.")
    tenants: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("default",), description="Names of the tenants, separated by commas; each has its own request topic."
    )
    admins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("default",), description="Tenants that may change agents, experiments and policies, separated by commas."
    )
    encoder: Literal["static", "minilm", "hashed"] = Field(
        default="static",
        description="What turns texts into vectors: the table of token vectors, the sentence encoder, or hashed words.",
    )
    knowledge_encoder: Literal["static", "minilm", "hashed"] = Field(
        default="minilm",
        description="What turns documents into vectors for a tenant that has none yet; `smolit knowledge reindex` changes it.",
    )
    reply_topics: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Topics besides the common one that a request may name for its answer, separated by commas."
    )
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Hosts (name or name:port) that agents may call, separated by commas; empty: none."
    )
    unsigned_workers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Sources of workers elsewhere that may speak unsigned, separated by commas; `*`: each that has no key.",
    )
    ask_outside: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Tenants whose agents ask a person before every effect outside, separated by commas; `*`: all.",
    )
    approval_s: float = Field(
        default=600.0, gt=0, description="Seconds for which an agent waits for a person's answer, within the task's deadline."
    )
    tool_servers: Path | None = Field(
        default=None, description="YAML file that names servers of tools (MCP) that agents may be granted; empty: none."
    )
    local_llm: Literal["on", "off"] = Field(
        default="on",
        description="Whether the language model on this machine is there: nothing until it is first asked, then 1 s and 250 MB.",
    )
    local_llm_threads: int = Field(
        default=1, ge=1, le=64, description="Threads that it computes with; more than there are free cores make it slower."
    )
    local_llm_at: str = Field(
        default="",
        description="HOST:PORT of the local model where it is in another container; needs SMOLIT_CHOICE_SECRET.",
    )
    llm_url: Named = Field(
        default={},
        validate_default=True,
        description="Addresses of OpenAI-compatible endpoints, in the order in which they are asked: `a=https://x/v1, b=...`.",
    )
    llm_model: Named = Field(
        default={}, validate_default=True, description="What model is asked of each: one for all, or `a=NAME, b=NAME`."
    )
    llm_key: SecretStr = Field(
        default=SecretStr(""), validate_default=True, description="Key of each: one for all, or `a=KEY, b=KEY`; empty: none."
    )
    llm_prices: Path | None = Field(
        default=None,
        description="YAML file of prices in dollars per million tokens: `NAME: {input: 0.15, output: 0.6}`; empty: not known.",
    )
    llm_patience_s: float = Field(
        default=20.0, gt=0, le=600, description="Seconds that one endpoint may take before the next one is asked."
    )
    llm_tokens_per_day: PerTenant = Field(
        default="inf", validate_default=True, description="Tokens that a tenant may use in a day (UTC); per tenant, too."
    )
    llm_microusd_per_day: PerTenant = Field(
        default="inf", validate_default=True, description="Millionths of a dollar that a tenant may spend on models in a day."
    )
    llm_seconds_per_day: PerTenant = Field(
        default="inf", validate_default=True, description="Seconds of models' time that a tenant may use in a day."
    )
    llm_agent_tokens_per_day: Named = Field(
        default={}, validate_default=True, description="Tokens that an agent may use in a day: `assistant=50000, *=200000`."
    )
    llm_cache_s: float = Field(
        default=86_400.0, ge=0, description="Seconds that an answer without chance is kept to be given again; 0: none is kept."
    )
    llm_cache_redis: SecretStr = Field(
        default=SecretStr(""), description="Address of a Redis-compatible server for these answers; empty: Postgres keeps them."
    )
    memory_llm: str = Field(
        default="",
        validate_default=True,
        description="Back end, by its name in SMOLIT_LLM_URL, that reads facts about people out of chats; empty: rules alone.",
    )
    worker_memory_mb: int = Field(
        default=0,
        ge=0,
        description="Memory in MiB above which the attempt that grew most fails and a worker starts afresh; 0: no limit.",
    )
    worker_capacity: int = Field(default=8, ge=1, description="Attempts that one worker does at a time.")
    snapshot_every: int = Field(
        default=500, ge=1, description="Examples of a learning partition between two snapshots of its policy states."
    )
    choice_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Secret of the random draws; empty: a random one, made once and kept in data_dir.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log record that is written."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="How log records look: for people or for machines."
    )
    log_file: Path | None = Field(default=None, description="File that log records are added to; empty: standard error.")
    workers: int = Field(default=2, ge=1, le=64, description="Workers that `smolit run all` and `smolit up` start.")
    agent_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Folders of agent specs that are watched besides those that come along, separated by commas."
    )
    pools: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("models",),
        description="Pools that `smolit up` starts a worker for once an agent is in one, separated by commas.",
    )
    health_port: Port = Field(
        default=0,
        description="Port of /health, /ready and /metrics of `smolit run NAME`, on loopback; 0: any, as `smolit status` shows.",
    )
    start_timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds for which `smolit up` waits until every process is ready."
    )
    stop_timeout_s: float = Field(default=10.0, gt=0, description="Seconds that a process may take to stop before it is killed.")
    kafka_port: Port = Field(
        default=19092, description="Port wanted for the local Kafka; another one is taken if it is in use; 0: any."
    )
    kafka_controller_port: Port = Field(
        default=19093, description="Port wanted for the local Kafka's controller; the same rules."
    )
    kafka_heap_mb: int = Field(default=512, ge=128, description="Largest heap of the local Kafka, in MiB.")
    maven_repository: str = Field(
        default="", description="Base address of a Maven repository to fetch Kafka's jars from; empty: Maven Central."
    )
    postgres_port: Port = Field(
        default=15432, description="Port wanted for the local Postgres; another one is taken if it is in use; 0: any."
    )
    postgres_os_user: str = Field(
        default="nobody",
        description="Operating system user that runs Postgres when smolit runs as root, which Postgres refuses.",
    )
    stack_timeout_s: float = Field(default=60.0, gt=0, description="Seconds that a local server may take to start or to stop.")
    task_deadline_s: float = Field(default=900.0, gt=0, description="Seconds that a task may take if it says nothing.")
    max_attempts: int = Field(default=3, ge=1, description="Attempts at one task before it has failed.")
    lease_s: float = Field(
        default=10.0, gt=0, description="Seconds for which a worker holds an attempt unless it renews the lease."
    )
    mailbox_room: int = Field(default=10_000, ge=1, description="Messages that a mailbox holds before senders are refused.")
    heartbeat_s: float = Field(default=1.0, gt=0, description="Seconds between two heartbeats of a worker.")
    feedback_horizon_days: int = Field(
        default=90, ge=1, description="Days that feedback waits for its task before it becomes a dead letter."
    )
    keep_ended_days: int = Field(
        default=7, ge=7, description="Days that ended tasks stay in the work queue, and taken-in event ids in the inboxes."
    )
    max_replays: int = Field(default=3, ge=1, description="Times that a dead letter may be replayed before it takes --force.")
    costs: PerTenant = Field(
        default="0",
        validate_default=True,
        description="Weight of cost in the reward, 0 to 1, where a task says nothing; `0.2, acme=0.5`: another for a tenant.",
    )
    latency: PerTenant = Field(
        default="0",
        validate_default=True,
        description="Weight of latency in the reward; with the weight of cost at most 1, and quality has the rest.",
    )
    cost_half_microusd: PerTenant = Field(
        default="1000",
        validate_default=True,
        description="Cost of an attempt, in millionths of a dollar, that is worth one half where cost weighs; per tenant, too.",
    )
    latency_half_us: PerTenant = Field(
        default="1000000",
        validate_default=True,
        description="Duration of an attempt, in microseconds, that is worth one half where latency weighs; per tenant, too.",
    )
    inline_limit_bytes: int = Field(default=900_000, ge=1, description="Largest request that is taken in, in bytes of its value.")
    blob_threshold_bytes: int = Field(
        default=64_000, ge=1, description="Texts above this many bytes go to the blob store and are referenced."
    )
    file_limit_bytes: int = Field(
        default=20_000_000, ge=1, le=2**29, description="Largest file that a task may come with, in bytes."
    )

    @field_validator("data_dir", "cache", "root_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        """Make a folder independent of where a process happens to stand."""
        return path.expanduser().absolute()

    @field_validator("agent_dirs")
    @classmethod
    def _absolute_all(cls, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """Make folders independent of where a process happens to stand."""
        return tuple(path.expanduser().absolute() for path in paths)

    @field_validator("local_llm_at")
    @classmethod
    def _place(cls, given: str) -> str:
        """Refuse what is no place."""
        host, _, port = given.rpartition(":")
        if given and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            raise ValueError("must be HOST:PORT, such as `llm:8091`")
        return given

    @field_validator("choice_secret")
    @classmethod
    def _shared(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Refuse a local model elsewhere whose key nobody else could know."""
        if secret is None and info.data.get("local_llm_at"):
            raise ValueError("must be set where SMOLIT_LOCAL_LLM_AT is: the key of the model is made of it")
        return secret

    @field_validator("llm_url", "llm_model", "llm_agent_tokens_per_day", mode="before")
    @classmethod
    def _by_name(cls, given: object) -> object:
        """Read `a=X, b=Y` as texts by name; a single text has the name `remote`."""
        return named(given) if isinstance(given, str) else given

    @field_validator("llm_url")
    @classmethod
    def _endpoints(cls, urls: Mapping[str, str]) -> Mapping[str, str]:
        """Refuse what is no address of an endpoint."""
        for name, url in urls.items():
            parts = urlsplit(url)
            if name == LOCAL_NAME or not _TOPIC_PART.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a back end: lower-case letters, digits and hyphens, and not `local`")
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
                raise ValueError(f"the address of {name} must be http(s)://HOST/PATH, without a user")
        return urls

    @field_validator("llm_model")
    @classmethod
    def _models(cls, models: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        """Refuse back ends without a model, and models without a back end."""
        urls = info.data.get("llm_url", {})
        if strangers := sorted(set(models) - {ONE_REMOTE} - set(urls)):
            raise ValueError(f"{', '.join(strangers)} is no back end of SMOLIT_LLM_URL")
        if models and not urls:
            raise ValueError("there is no back end: set SMOLIT_LLM_URL, too")
        if missing := sorted(name for name in urls if not of_name(models, name)):
            raise ValueError(f"says no model for {', '.join(missing)}")
        return models

    @field_validator("llm_key")
    @classmethod
    def _keys(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        """Refuse a key that cannot stand in a header, and one for a back end that there is not."""
        urls = info.data.get("llm_url", {})
        if key.get_secret_value() and not urls:
            raise ValueError("there is no back end to use it for: set SMOLIT_LLM_URL, too")
        keys = keys_of(key, urls)
        if any(not _HEADER_TEXT.fullmatch(one) for one in keys.values()):
            raise ValueError("a key must be printable ASCII without spaces")
        if strangers := sorted(set(keys) - {ONE_REMOTE} - set(urls)):
            raise ValueError(f"{', '.join(strangers)} is no back end of SMOLIT_LLM_URL")
        return key

    @field_validator("memory_llm")
    @classmethod
    def _reader(cls, name: str, info: ValidationInfo) -> str:
        """Refuse a back end that there is not; the model on this machine is none for this, as it makes facts up."""
        if name and name not in info.data.get("llm_url", {}):
            raise ValueError(f"{name!r} is no back end of SMOLIT_LLM_URL")
        return name

    @field_validator("llm_agent_tokens_per_day")
    @classmethod
    def _whole_numbers(cls, limits: Mapping[str, str]) -> Mapping[str, str]:
        """Refuse limits that are none."""
        if not all(limit.isascii() and limit.isdigit() for limit in limits.values()) or ONE_REMOTE in limits:
            raise ValueError("must be whole numbers by agent: assistant=50000, *=200000")
        return limits

    @field_validator("kafka_ca", "tool_servers", "llm_prices")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        """Refuse a file that is not there now, and not at the first use."""
        if path is None:
            return None
        if not (found := path.expanduser().absolute()).is_file():
            raise ValueError("is not a file")
        return found

    @field_validator("kafka_password")
    @classmethod
    def _sign_in(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        """Refuse to sign in as nobody."""
        known = info.data
        if str(known.get("kafka_protocol")).startswith("SASL") and not (known.get("kafka_user") and password.get_secret_value()):
            raise ValueError("SMOLIT_KAFKA_PROTOCOL needs a user (SMOLIT_KAFKA_USER) and a password")
        return password

    @property
    def kafka_address(self) -> str:
        """Return where the Kafka of the settings is, with the way in; empty for the local stack's."""
        if not self.kafka:
            return ""
        return Address(
            self.kafka,
            Security(
                protocol=self.kafka_protocol,
                mechanism=self.kafka_mechanism,
                user=self.kafka_user,
                password=self.kafka_password.get_secret_value(),
                ca=str(self.kafka_ca) if self.kafka_ca else None,
            ),
        )

    @field_validator("topic_prefix")
    @classmethod
    def _topic_part(cls, name: str) -> str:
        """Keep topic names readable: the dot separates their parts."""
        if not _TOPIC_PART.fullmatch(name):
            raise ValueError("must be lower-case letters, digits and hyphens, at most 63")
        return name

    @field_validator(
        "tenants",
        "admins",
        "reply_topics",
        "webhook_hosts",
        "unsigned_workers",
        "ask_outside",
        "pools",
        "agent_dirs",
        mode="before",
    )
    @classmethod
    def _split(cls, names: object) -> object:
        """Read `a, b` as two names."""
        return tuple(name.strip() for name in names.split(",") if name.strip()) if isinstance(names, str) else names

    @field_validator(
        "costs",
        "latency",
        "cost_half_microusd",
        "latency_half_us",
        "llm_tokens_per_day",
        "llm_microusd_per_day",
        "llm_seconds_per_day",
        mode="before",
    )
    @classmethod
    def _by_tenant(cls, given: object) -> object:
        """Read `0.2, acme=0.5` as a number for everybody and one for a tenant."""
        if not isinstance(given, str):
            return given
        parts = [part.rpartition("=") for part in given.split(",")]
        names = [name.strip() for name, _, _ in parts]
        if EVERYBODY not in names or len(set(names)) != len(names):
            raise ValueError("must be one number for everybody, and at most one for each tenant: 0.2, acme=0.5")
        return {name: number.strip() for name, (_, _, number) in zip(names, parts, strict=True)}

    @field_validator("costs", "latency")
    @classmethod
    def _weights(cls, weights: Mapping[str, float], info: ValidationInfo) -> Mapping[str, float]:
        """Refuse weights that leave less than nothing for quality."""
        if not all(0.0 <= weight <= 1.0 for weight in weights.values()):
            raise ValueError("weights lie between 0 and 1")
        costs = info.data.get("costs", {EVERYBODY: 0.0})
        both = (of_tenant(costs, tenant) + of_tenant(weights, tenant) for tenant in {*costs, *weights})
        if info.field_name == "latency" and max(both) > 1.0:
            raise ValueError("together with SMOLIT_COSTS more than 1: nothing is left for quality")
        return weights

    @field_validator("cost_half_microusd", "latency_half_us")
    @classmethod
    def _amounts(cls, amounts: Mapping[str, float]) -> Mapping[str, float]:
        """Refuse what is no amount."""
        if not all(1.0 <= amount <= 1e15 and amount.is_integer() for amount in amounts.values()):
            raise ValueError("must be whole numbers from 1 to 10^15")
        return amounts

    @field_validator("llm_tokens_per_day", "llm_microusd_per_day", "llm_seconds_per_day")
    @classmethod
    def _limits(cls, limits: Mapping[str, float]) -> Mapping[str, float]:
        """Refuse what limits nothing or makes no sense; `inf` is no limit."""
        if not all(limit >= 0.0 for limit in limits.values()):
            raise ValueError("must be numbers from 0, or inf for no limit")
        return limits

    @field_validator(
        "costs",
        "latency",
        "cost_half_microusd",
        "latency_half_us",
        "llm_tokens_per_day",
        "llm_microusd_per_day",
        "llm_seconds_per_day",
    )
    @classmethod
    def _known_tenants(cls, numbers: Mapping[str, float], info: ValidationInfo) -> Mapping[str, float]:
        """Refuse a number for a tenant that there is not: misspelled, it would be ignored in silence."""
        strangers = sorted(set(numbers) - {EVERYBODY} - set(info.data.get("tenants", ())))
        if strangers:
            raise ValueError(f"{', '.join(strangers)} is no tenant of SMOLIT_TENANTS")
        return numbers

    @field_validator("tenants")
    @classmethod
    def _tenant_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what could not be part of a topic name, and what is there twice."""
        if not names or len(set(names)) != len(names) or not all(_TOPIC_PART.fullmatch(name) for name in names):
            raise ValueError("must be different names of lower-case letters, digits and hyphens, separated by commas")
        return names


def of_tenant(numbers: Mapping[str, float], tenant: str) -> float:
    """Return a tenant's number: its own, or everybody's."""
    return numbers.get(tenant, numbers[EVERYBODY])


def named(given: str) -> dict[str, str]:
    """Return texts by name from `a=X, b=Y`; a single text that names nothing is called `remote`."""
    parts = [part.strip() for part in given.split(",") if part.strip()]
    if len(parts) == 1 and not _NAMED.match(parts[0]):
        return {ONE_REMOTE: parts[0]}
    found = [_NAMED.match(part) for part in parts]
    names = [one["name"] if one else "" for one in found]
    if not all(names) or len(set(names)) != len(names):
        raise ValueError("must be one, or several with different names: a=X, b=Y")
    return {one["name"]: one["text"].strip() for one in found if one}


def of_name(texts: Mapping[str, str], name: str) -> str:
    """Return the text of a name: its own, or the one for all."""
    return texts.get(name, texts.get(ONE_REMOTE, ""))


def keys_of(key: SecretStr, backends: Iterable[str]) -> dict[str, str]:
    """Return keys by back end: a key may hold `=` itself, so it is only read as `a=KEY, b=KEY` if it begins with a name."""
    given = key.get_secret_value().strip()
    if not given:
        return {}
    if given.partition("=")[0].strip() in set(backends):
        return named(given)
    return {ONE_REMOTE: given}


def load_settings(**given: Any) -> Settings:
    """Return the settings of this process; arguments win over the environment, which wins over secret files.

    Raises SettingInvalid, in one sentence, for a value that does not fit and for an unknown `SMOLIT_` variable.
    """
    refuse_unknown(os.environ)
    try:
        return Settings(_secrets_dir=_secrets_dir(os.environ), **given)
    except ValidationError as wrong:
        raise SettingInvalid("; ".join(_sentence(error) for error in wrong.errors())) from None


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Refuse a `SMOLIT_` variable that sets nothing: a misspelled setting would be ignored in silence."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {SECRETS_DIR}
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise SettingInvalid(f"{name} is not a setting of smolit{hint}")


def _secrets_dir(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of secret files: the one that is named, else where containers mount them."""
    named = environ.get(SECRETS_DIR)
    folder = Path(named or "/run/secrets")
    if named and not folder.is_dir():
        raise SettingInvalid(f"{SECRETS_DIR} names {folder}, which is not a folder.")
    return folder if folder.is_dir() else None


def _sentence(error: ErrorDetails) -> str:
    """Say which variable is wrong, how, and what it was unless that is secret."""
    name = str(error["loc"][0]) if error["loc"] else "settings"
    field = Settings.model_fields.get(name)
    secret = field is not None and "SecretStr" in str(field.annotation)
    value = "its value is hidden" if secret else f"got {error['input']!r}"
    return f"{PREFIX}{name.upper()}: {error['msg'].removeprefix('Value error, ')} ({value})"
