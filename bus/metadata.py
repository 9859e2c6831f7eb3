"""Kafka's metadata request, version 12: the one that tells topic ids (KIP-516).

aiokafka asks up to version 5, without ids; these are its own protocol classes, extended by one version.
Source: MetadataRequest.json and MetadataResponse.json of Apache Kafka.
"""

import uuid
from io import BytesIO

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields


class Uuid:
    """Sixteen bytes."""

    @staticmethod
    def decode(data: BytesIO) -> uuid.UUID:
        """Read one."""
        return uuid.UUID(bytes=data.read(16))

    @staticmethod
    def encode(content: uuid.UUID) -> bytes:
        """Write one."""
        return content.bytes

    @staticmethod
    def repr(content: uuid.UUID) -> str:
        """Return it for a log line."""
        return str(content)


class TopicsResponse(Response):  # type: ignore[misc]  # aiokafka ships no types
    """All topics, each with its id."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class TopicsRequestV12(RequestStruct):  # type: ignore[misc]  # as above
    """The request on the wire."""

    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TopicsResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest(Request[TopicsRequestV12]):  # type: ignore[misc]  # as above
    """Ask for all topics, and make none."""

    API_KEY = 3

    def build(self, request_struct_class: type[TopicsRequestV12]) -> TopicsRequestV12:
        """Return it for the wire."""
        return request_struct_class(None, False, False, {})
