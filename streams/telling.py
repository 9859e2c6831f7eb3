"""What becomes of a request that changes nothing of what is in force: its facts, or why there are none.

What a fact refers to (a long text, a file, a document's bytes, a key) is stored before anybody can read the fact.
"""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from events.knowledge_request import AddDocument, ClearDomain, CreateDomain, Reindex, RemoveDocument
from events.request import (
    AnswerApproval,
    CancelTask,
    ForgetMemory,
    ForgetTask,
    GiveFeedback,
    RegisterKey,
    Remember,
    ReviseFeedback,
    RevokeKey,
    SendMessage,
    SubmitTask,
)
from events.task import Features, Sentiment, TaskSubmitted
from store import blob, sender_key
from store.postgres import Connection
from streams.about_knowledge import KnowledgeRequest, knowledge_fact
from streams.admission import Refused, facts_about_task
from streams.admitting import Accepted, Told
from streams.approving import approval_fact
from streams.files import take_in
from streams.inspection import Healthy
from streams.speech import key_fact, revoked_fact, speech_fact

Feeling = asyncio.Future[Sentiment | None]  # what is being read out of a comment


class Telling:
    """Tells it one request at a time; `operator` returns the public key of who may let others sign, by tenant."""

    def __init__(
        self,
        connection: Connection,
        *,
        features: Callable[[str], Features],
        operator: Callable[[str], str],
        file_limit_bytes: int,
    ) -> None:
        self._connection, self._features = connection, features
        self._operator, self._file_limit = operator, file_limit_bytes

    async def told(self, one: Healthy, submitted: Told | None, feeling: Feeling | None) -> Told:
        """Return the facts of a request, or why there are none; `submitted` is what becomes of it as a submission."""
        try:
            return await self._facts(one, submitted, feeling)
        except Refused as error:
            return one.refused(error.reason, str(error))

    async def _facts(self, one: Healthy, submitted: Told | None, feeling: Feeling | None) -> Told:
        match one.asked.request:
            case SubmitTask() as request if submitted is not None:
                return await self._kept(submitted, one, request)
            case CancelTask() | ForgetTask() | GiveFeedback() | ReviseFeedback() as request:
                return Accepted(one, (facts_about_task(one.asked, request, await feeling if feeling else None),))
            case AddDocument() | RemoveDocument() | CreateDomain() | ClearDomain() | Reindex() as request:
                return await self._about_knowledge(one, request)
            case SendMessage() | Remember() | ForgetMemory() as request:
                return Accepted(one, (speech_fact(one.asked, request, self._features),))
            case RegisterKey() as request:
                return await self._key(one, request)
            case RevokeKey() as request:
                return await self._revoked(one, request)
            case AnswerApproval() as request:
                return Accepted(one, (approval_fact(one.asked, request, self._operator(one.asked.tenant)),))
            case _:
                return one.refused("unknown_request", f"{one.asked.request.event_type.name} cannot be asked for")

    async def _kept(self, told: Told, one: Healthy, request: SubmitTask) -> Told:
        """Store a long text and files once, by their hash."""
        if not (isinstance(told, Accepted) and isinstance(first := told.facts[0], TaskSubmitted)):
            return told
        if first.text is None:
            await blob.put(self._connection, request.text.encode())
        if not request.files:
            return told
        files = await take_in(self._connection, one.asked.tenant, request.files, self._file_limit)
        return Accepted(one, (replace(first, files=files), *told.facts[1:]))

    async def _about_knowledge(self, one: Healthy, request: KnowledgeRequest) -> Told:
        """Return the fact of a request about knowledge, once its bytes are stored."""
        fact = knowledge_fact(one.asked, request)
        if isinstance(request, AddDocument) and request.content is not None:
            await blob.put(self._connection, request.content)
        return Accepted(one, (fact,))

    async def _key(self, one: Healthy, request: RegisterKey) -> Told:
        """Keep a key before its fact is published: no message comes before the key that signed it."""
        known = await sender_key.keys_of(self._connection, one.asked.tenant, [request.sender])
        fact = key_fact(one.asked, request, known, self._operator(one.asked.tenant))
        row = sender_key.KeyRow(fact.tenant, fact.sender, fact.key_id, fact.public_key, fact.scope, fact.replaces, None)
        await sender_key.put(self._connection, row)
        return Accepted(one, (fact,))

    async def _revoked(self, one: Healthy, request: RevokeKey) -> Told:
        """Revoke a key before its fact is published: whoever reads the fact finds it gone."""
        known = await sender_key.keys_of(self._connection, one.asked.tenant, [request.sender])
        fact = revoked_fact(one.asked, request, known, self._operator(one.asked.tenant))
        await sender_key.revoke(self._connection, fact.tenant, fact.sender, fact.key_id)
        return Accepted(one, (fact,))
