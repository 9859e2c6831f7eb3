"""The AsyncAPI 3 document: topics, messages and who sends what, as an application outside sees it.

Source: AsyncAPI 3.0.0 and its Kafka binding 0.5.0. Payloads are in AsyncAPI's own schema dialect, a superset of JSON Schema
draft 7, which the tools around it read without a plugin; the files beside the document have them in draft 2020-12. It names
no server: where Kafka is, is told to an application by whoever runs it.
"""

from collections.abc import Sequence
from typing import Any

from events.answer import AnswerGiven, RequestRefused
from events.catalog import FACTS, NOTICES, REQUESTS
from events.cloudevent import MAX_ATTRIBUTE_CHARS
from events.dead_letter import DeadLetter
from events.event import Message
from events.request import Request, SubmitTask
from events.schema import DEFS, schema_of
from events.topics import DEFAULT_TENANT, MAJOR, WORK, Names, Topic
from events.topics import REQUESTS as ASKED

Json = dict[str, Any]
VERSION = "3.0.0"
_BINDING = "0.5.0"
_POOL = "{pool}"
_ABOUT = """Requests go in, facts and answers come out, all of them CloudEvents 1.0 on Kafka.

Shown is the binary mode of CloudEvents, in which everything is written: attributes in headers, the data alone as the value.
Requests in structured mode (`content-type: application/cloudevents+json`) are read too. Facts are kept for ever."""
_REQUIRED = ("ce_specversion", "ce_id", "ce_type", "ce_source")
_WRITTEN = ("ce_subject", "ce_time", "ce_dataschema", "ce_correlationid", "ce_causationid", "content-type")


def asyncapi(names: Names, tenants: Sequence[str], release: str) -> Json:
    """Return the document of an installation: its topics by their names, and every message that travels on them."""
    topics = {**names.all(tenants), names.work_of(DEFAULT_TENANT, _POOL): WORK}
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "smolit",
            "version": release,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(names, address): _channel(address, topic) for address, topic in topics.items()},
        "operations": {
            name: operation
            for address, topic in topics.items()
            for name, operation in _operations(_channel_id(names, address), topic).items()
        },
        "components": {
            "messages": {cls.event_type.wire_name: _message(cls) for cls in (*REQUESTS, *FACTS, *NOTICES)},
            "schemas": {cls.event_type.wire_name: _payload(cls) for cls in (*REQUESTS, *FACTS, *NOTICES)},
        },
    }


def _channel_id(names: Names, address: str) -> str:
    """Return the name of a channel in the document: the topic's, without prefix, major version and the pool that it is for."""
    return address.replace(f".{_POOL}", "").removeprefix(f"{names.prefix}.").replace(f".{MAJOR}", "")


def _on(topic: Topic) -> list[type[Message]]:
    """Return what travels on a topic; dead letters have topics of their own, beside the one that their class names."""
    if topic.entity == "dlq":
        return [DeadLetter]
    return [cls for cls in (*REQUESTS, *FACTS, *NOTICES) if cls.event_type.topic == topic and cls is not DeadLetter]


# What the Kafka binding of AsyncAPI knows of a topic's settings, beside `cleanup.policy`.
_BOUND = frozenset({"retention.ms", "retention.bytes", "max.message.bytes"})


def _channel(address: str, topic: Topic) -> Json:
    """Return one topic: its address, what travels on it, and how the broker keeps it."""
    bound = {name: int(value) for name, value in topic.config.items() if name in _BOUND}
    settings = {"cleanup.policy": [topic.cleanup], **bound}
    pool = {"pool": {"description": "Pool of the agents; of another tenant than the default one, its name and a dot go before."}}
    return {
        "address": address,
        "description": topic.holds,
        **({"parameters": pool} if topic is WORK else {}),
        "messages": {
            cls.event_type.wire_name: {"$ref": f"#/components/messages/{cls.event_type.wire_name}"} for cls in _on(topic)
        },
        "bindings": {
            "kafka": {"partitions": topic.partitions, "topicConfiguration": settings, "bindingVersion": _BINDING},
        },
    }


def _operations(channel: str, topic: Topic) -> dict[str, Json]:
    """Return what an application may do with a topic: send each request, with what answers it, or receive."""
    if topic == ASKED:
        return {f"send.{channel}.{cls.event_type.name}": _send(channel, cls) for cls in REQUESTS}
    return {
        f"receive.{channel}": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": topic.holds,
            "messages": [_in_channel(channel, cls) for cls in _on(topic)],
        }
    }


def _send(channel: str, cls: type[Request]) -> Json:
    """Return the operation of one request; only a task is answered when it ends, all are when they are refused."""
    answers: list[type[Message]] = [AnswerGiven, RequestRefused] if cls is SubmitTask else [RequestRefused]
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": _summary(cls),
        "messages": [_in_channel(channel, cls)],
        "reply": {"channel": {"$ref": "#/channels/answers"}, "messages": [_in_channel("answers", one) for one in answers]},
    }


def _in_channel(channel: str, cls: type[Message]) -> Json:
    return {"$ref": f"#/channels/{channel}/messages/{cls.event_type.wire_name}"}


def _message(cls: type[Message]) -> Json:
    """Return one message: its headers, its payload and its key."""
    kind = cls.event_type
    told: Json = {
        "name": kind.wire_name,
        "title": cls.__name__,
        "summary": _summary(cls),
        "contentType": "application/json",
        "headers": headers_of(cls),
        "payload": {"$ref": f"#/components/schemas/{kind.wire_name}"},
    }
    if issubclass(cls, Request):
        key = "Any key, or none, and any partitioner: intake gives each fact its own."
    else:
        key = f"`{kind.key}`: records with one key stay in order."
        told["correlationId"] = {
            "description": "The task, or the request, that the event belongs to.",
            "location": "$message.header#/ce_correlationid",
        }
    return told | {"bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": _BINDING}}}


def headers_of(cls: type[Message]) -> Json:
    """Return the schema of a message's headers: a request needs four of them, what we write has all but the trace."""
    kind = cls.event_type
    asked = issubclass(cls, Request)
    text = {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE_CHARS}
    content = "`application/json`; a charset may follow" if asked else "Always `application/json`."
    return {
        "type": "object",
        "required": [*_REQUIRED] if asked else [*_REQUIRED, *_WRITTEN],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": text | {"description": "Name of the event that its source uses once: a repeat has the same."},
            "ce_type": {"const": kind.wire_name},
            "ce_source": text | {"description": "Who says so."},
            "ce_subject": {"type": "string", "description": "What it is about."},
            "ce_time": {"type": "string", "format": "date-time", "description": "When, in RFC 3339 with a zone."},
            "ce_dataschema": {"const": kind.schema_id} if not asked else {"type": "string"},
            "ce_correlationid": {"type": "string", "description": "The task, or the request, that it belongs to."},
            "ce_causationid": {"type": "string", "description": "Id of the event just before."},
            "content-type": {"type": "string", "description": content},
            "traceparent": {"type": "string", "description": "W3C trace context."},
        },
    }


def _payload(cls: type[Message]) -> Json:
    """Return the schema of a payload in AsyncAPI's dialect."""
    whole = schema_of(cls)
    there = f"#/components/schemas/{cls.event_type.wire_name}/definitions/"
    return {key: _draft_7(item, there) for key, item in _renamed(whole).items() if key not in ("$schema", "$id")}


def _draft_7(schema: Any, there: str) -> Any:
    """Return a schema in the words of draft 7: another name for definitions, another form for tuples."""
    if isinstance(schema, list):
        return [_draft_7(item, there) for item in schema]
    if isinstance(schema, str):
        return there + schema.removeprefix(DEFS) if schema.startswith(DEFS) else schema
    if not isinstance(schema, dict):
        return schema
    return {key: _draft_7(item, there) for key, item in _renamed(schema).items()}


def _renamed(schema: Json) -> Json:
    """Return one level of a schema with the names that draft 7 has for its keywords."""
    new = {"prefixItems": "items", "items": "additionalItems"} if "prefixItems" in schema else {"$defs": "definitions"}
    return {new.get(key, key): item for key, item in schema.items()}


def _summary(cls: type[Message]) -> str:
    """Return the first line of what a class says of itself."""
    return (cls.__doc__ or "").strip().splitlines()[0]
