"""The schema of the operational tables: every module that declares one is named here, so that migrations see them all."""

from sqlalchemy import Table

from store.approval import approval
from store.blob import blob, tenant_file
from store.fold import fold_inbox, fold_position
from store.generation import read_generation
from store.held import held_record
from store.intake import request_claim
from store.knowledge import knowledge_document, knowledge_domain, knowledge_encoder
from store.known_log import known_log
from store.lease import relay_lease
from store.ledger import effect
from store.llm_cache import llm_cache, llm_cache_tally
from store.llm_spend import llm_spend
from store.mailbox import known_message, mailbox, talk
from store.metadata import metadata
from store.outbox import outbox
from store.remote import remote_attempt, remote_word, remote_worker
from store.restored import restored
from store.room import work_room
from store.sender_key import sender_key
from store.snapshot import policy_snapshot
from store.team import team_part, team_plan
from store.training import learning_memory, learning_sequence
from store.work import work_agent, work_attempt, work_task

TABLES: tuple[Table, ...] = (
    fold_position,
    fold_inbox,
    read_generation,
    held_record,
    request_claim,
    outbox,
    relay_lease,
    work_task,
    work_attempt,
    work_agent,
    work_room,
    remote_word,
    remote_worker,
    remote_attempt,
    policy_snapshot,
    learning_memory,
    learning_sequence,
    effect,
    llm_spend,
    llm_cache,
    llm_cache_tally,
    blob,
    tenant_file,
    knowledge_domain,
    knowledge_document,
    knowledge_encoder,
    known_log,
    restored,
    team_plan,
    team_part,
    sender_key,
    talk,
    known_message,
    mailbox,
    approval,
)
METADATA = metadata
