"""Where Kafka is, and what it takes to be let in.

An `Address` is the text of its bootstrap servers, so it can be shown anywhere; the password travels beside the text and is
never part of it.
"""

import ssl
from typing import Any, Literal

from msgspec import Struct

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Security(Struct, frozen=True, kw_only=True):
    """How a broker is spoken to; `ca` is a file of certificates that are trusted instead of the system's."""

    protocol: Protocol
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password: str = ""
    ca: str | None = None

    def __repr__(self) -> str:
        return f"Security({self.protocol})"

    @property
    def signs_in(self) -> bool:
        """Return whether a user and a password are asked for."""
        return self.protocol.startswith("SASL")

    def trust(self) -> ssl.SSLContext | None:
        """Return what certificates are checked with; None for a protocol without TLS."""
        return ssl.create_default_context(cafile=self.ca) if self.protocol.endswith("SSL") else None


class Address(str):
    """Bootstrap servers (`host:port,...`) with the way in."""

    security: Security

    def __new__(cls, servers: str, security: Security) -> "Address":
        """Return the servers as text that knows the way in."""
        made = super().__new__(cls, servers)
        made.security = security
        return made


def security_of(kafka: str) -> Security:
    """Return the way into a Kafka; one whose address says nothing of it is open."""
    return kafka.security if isinstance(kafka, Address) else Security(protocol="PLAINTEXT")


def options(kafka: str) -> dict[str, Any]:
    """Return what every client of aiokafka is given: where Kafka is, and the way in."""
    security = security_of(kafka)
    found: dict[str, Any] = {"bootstrap_servers": str(kafka), "security_protocol": security.protocol}
    if security.signs_in:
        found |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.user,
            "sasl_plain_password": security.password,
        }
    if trust := security.trust():
        found["ssl_context"] = trust
    return found
