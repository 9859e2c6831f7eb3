"""Knowledge: documents, their chunks and vectors, and what ingest knows of them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The digest of the read model's declaration (projections/shape.py).
_SHAPES = {"knowledge_documents": '331f1741801fc314'}
_VIEW_NAMES = ('knowledge_domains', 'knowledge_documents', 'knowledge_chunks', 'knowledge_vectors', 'knowledge_encoders', 'knowledge_refused', 'knowledge_requests')
_TABLE_NAMES = ('knowledge_domains_v1', 'knowledge_documents_v1', 'knowledge_chunks_v1', 'knowledge_vectors_v1', 'knowledge_encoders_v1', 'knowledge_refused_v1', 'knowledge_requests_v1')
_OPS = (
    """CREATE TABLE ops.knowledge_domain (
    tenant TEXT NOT NULL,
    domain TEXT NOT NULL,
    PRIMARY KEY (tenant, domain)
)""",
    """COMMENT ON TABLE ops.knowledge_domain IS 'Domains of knowledge that were created.'""",
    """COMMENT ON COLUMN ops.knowledge_domain.tenant IS 'whose domain it is'""",
    """COMMENT ON COLUMN ops.knowledge_domain.domain IS 'its name'""",
    """CREATE TABLE ops.knowledge_document (
    tenant TEXT NOT NULL,
    document_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    told TEXT NOT NULL,
    PRIMARY KEY (tenant, document_id)
)""",
    """CREATE INDEX knowledge_document_domain ON ops.knowledge_document (tenant, domain)""",
    """COMMENT ON TABLE ops.knowledge_document IS 'Documents as ingest decided on them, in the order of the log.'""",
    """COMMENT ON COLUMN ops.knowledge_document.tenant IS 'whose document it is'""",
    """COMMENT ON COLUMN ops.knowledge_document.document_id IS 'the document'""",
    """COMMENT ON COLUMN ops.knowledge_document.domain IS 'domain that it belongs to'""",
    """COMMENT ON COLUMN ops.knowledge_document.version IS 'its newest version'""",
    """COMMENT ON COLUMN ops.knowledge_document.state IS 'live, removed (readable as of earlier) or erased'""",
    """COMMENT ON COLUMN ops.knowledge_document.sha256 IS 'digest of its bytes; empty: erased'""",
    """COMMENT ON COLUMN ops.knowledge_document.told IS 'digest of its bytes with all that was said of them; empty: erased'""",
    """CREATE TABLE ops.knowledge_encoder (
    tenant TEXT NOT NULL,
    encoder TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    next BIGINT NOT NULL,
    cause BYTEA NOT NULL,
    request_id TEXT NOT NULL,
    PRIMARY KEY (tenant, encoder)
)""",
    """COMMENT ON TABLE ops.knowledge_encoder IS 'Encoders whose vectors are made; the one that serves is switched when those of another are complete.'""",
    """COMMENT ON COLUMN ops.knowledge_encoder.tenant IS 'whose chunks it embeds'""",
    """COMMENT ON COLUMN ops.knowledge_encoder.encoder IS 'name and digest: what vectors of it are called'""",
    """COMMENT ON COLUMN ops.knowledge_encoder.kind IS 'what the settings call it'""",
    """COMMENT ON COLUMN ops.knowledge_encoder.state IS 'serving, building or retired'""",
    """COMMENT ON COLUMN ops.knowledge_encoder.next IS 'first offset whose chunks still lack its vectors'""",
    """COMMENT ON COLUMN ops.knowledge_encoder.cause IS 'envelope of the request as JSON'""",
    """COMMENT ON COLUMN ops.knowledge_encoder.request_id IS 'the request'""",
)
_TABLES = (
    """CREATE TABLE g1.knowledge_domains_v1 (
    tenant TEXT NOT NULL,
    domain TEXT NOT NULL,
    description TEXT,
    created_at TIMESTAMP WITH TIME ZONE,
    cleared_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant, domain)
)""",
    """COMMENT ON TABLE g1.knowledge_domains_v1 IS 'Domains of knowledge: families of documents that agents are granted.'""",
    """COMMENT ON COLUMN g1.knowledge_domains_v1.tenant IS 'whose domain it is'""",
    """COMMENT ON COLUMN g1.knowledge_domains_v1.domain IS 'its name'""",
    """COMMENT ON COLUMN g1.knowledge_domains_v1.description IS 'what its documents are about'""",
    """COMMENT ON COLUMN g1.knowledge_domains_v1.created_at IS 'since when it is there'""",
    """COMMENT ON COLUMN g1.knowledge_domains_v1.cleared_at IS 'when all its documents were last removed; null: never'""",
    """CREATE TABLE g1.knowledge_documents_v1 (
    tenant TEXT NOT NULL,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    domain TEXT,
    name TEXT,
    title TEXT,
    media_type TEXT,
    sha256 TEXT,
    size BIGINT,
    source TEXT,
    meta JSONB,
    rights JSONB,
    language TEXT,
    chars BIGINT,
    chunks INTEGER,
    since BIGINT,
    until BIGINT,
    added_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    erased BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, document_id, version)
)""",
    """CREATE INDEX knowledge_documents_v1_meta ON g1.knowledge_documents_v1 USING gin (meta)""",
    """CREATE INDEX knowledge_documents_v1_domain ON g1.knowledge_documents_v1 (tenant, domain)""",
    """COMMENT ON TABLE g1.knowledge_documents_v1 IS 'Versions of documents: which is found when, under which rights, and what is known of it.'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.tenant IS 'whose document it is'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.document_id IS 'the document'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.version IS 'version of the document, from 1'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.domain IS 'domain that it belongs to'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.name IS 'what it is called within its domain; null: erased'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.title IS 'its title; null: erased'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.media_type IS 'what it is'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.sha256 IS 'digest of its bytes; null: erased'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.size IS 'bytes'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.source IS 'where it comes from; null: erased'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.meta IS 'what is known of it, by name; null: erased'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.rights IS 'what a reader has to hold, all of them'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.language IS 'language of its text; und: not told'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.chars IS 'characters of its text'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.chunks IS 'pieces that its text was cut into'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.since IS 'offset from which on it is found'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.until IS 'offset from which on it is found no more; null: it is'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.added_at IS 'when it was taken in'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.ended_at IS 'when it was replaced or removed; null: it is there'""",
    """COMMENT ON COLUMN g1.knowledge_documents_v1.erased IS 'whether its texts and vectors were deleted'""",
    """CREATE TABLE g1.knowledge_chunks_v1 (
    tenant TEXT NOT NULL,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    starts INTEGER,
    ends INTEGER,
    heading TEXT,
    text TEXT,
    words TSVECTOR GENERATED ALWAYS AS (to_tsvector('english'::regconfig, (heading || ' '::text) || text)) STORED,
    PRIMARY KEY (tenant, document_id, version, chunk)
)""",
    """CREATE INDEX knowledge_chunks_v1_words ON g1.knowledge_chunks_v1 USING gin (words)""",
    """COMMENT ON TABLE g1.knowledge_chunks_v1 IS 'Pieces of documents, with their words for full-text search.'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.tenant IS 'whose document it is'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.document_id IS 'the document'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.version IS 'version of the document'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.chunk IS 'place of the piece in it, from 0'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.starts IS 'first character in the document''s text'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.ends IS 'behind the last character'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.heading IS 'heading that it stands under'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.text IS 'the piece itself'""",
    """COMMENT ON COLUMN g1.knowledge_chunks_v1.words IS 'its words, for full-text search'""",
    """CREATE TABLE g1.knowledge_vectors_v1 (
    encoder TEXT NOT NULL,
    tenant TEXT NOT NULL,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    embedding HALFVEC(384),
    PRIMARY KEY (encoder, tenant, document_id, version, chunk)
)""",
    """COMMENT ON TABLE g1.knowledge_vectors_v1 IS 'Vectors of the pieces, by the encoder that made them: those of one are built beside those of another.'""",
    """COMMENT ON COLUMN g1.knowledge_vectors_v1.encoder IS 'what made the vector: name and digest'""",
    """COMMENT ON COLUMN g1.knowledge_vectors_v1.tenant IS 'whose document it is'""",
    """COMMENT ON COLUMN g1.knowledge_vectors_v1.document_id IS 'the document'""",
    """COMMENT ON COLUMN g1.knowledge_vectors_v1.version IS 'version of the document'""",
    """COMMENT ON COLUMN g1.knowledge_vectors_v1.chunk IS 'place of the piece in it'""",
    """COMMENT ON COLUMN g1.knowledge_vectors_v1.embedding IS 'embedding of the piece: 384 numbers'""",
    """CREATE TABLE g1.knowledge_encoders_v1 (
    tenant TEXT NOT NULL,
    since BIGINT NOT NULL,
    encoder TEXT,
    kind TEXT,
    since_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant, since)
)""",
    """COMMENT ON TABLE g1.knowledge_encoders_v1 IS 'Which encoder''s vectors texts are found by, and since when.'""",
    """COMMENT ON COLUMN g1.knowledge_encoders_v1.tenant IS 'whose texts'""",
    """COMMENT ON COLUMN g1.knowledge_encoders_v1.since IS 'offset from which on its vectors serve'""",
    """COMMENT ON COLUMN g1.knowledge_encoders_v1.encoder IS 'what makes the vectors: name and digest'""",
    """COMMENT ON COLUMN g1.knowledge_encoders_v1.kind IS 'what the settings call it'""",
    """COMMENT ON COLUMN g1.knowledge_encoders_v1.since_at IS 'when that was'""",
    """CREATE TABLE g1.knowledge_refused_v1 (
    tenant TEXT NOT NULL,
    request_id TEXT NOT NULL,
    document_id TEXT,
    domain TEXT,
    reason TEXT,
    detail TEXT,
    refused_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant, request_id)
)""",
    """COMMENT ON TABLE g1.knowledge_refused_v1 IS 'Requests about knowledge that nothing came of, and why.'""",
    """COMMENT ON COLUMN g1.knowledge_refused_v1.tenant IS 'whose request'""",
    """COMMENT ON COLUMN g1.knowledge_refused_v1.request_id IS 'the request'""",
    """COMMENT ON COLUMN g1.knowledge_refused_v1.document_id IS 'the document, where one was named'""",
    """COMMENT ON COLUMN g1.knowledge_refused_v1.domain IS 'the domain, where one was named'""",
    """COMMENT ON COLUMN g1.knowledge_refused_v1.reason IS 'why nothing came of it, as a code'""",
    """COMMENT ON COLUMN g1.knowledge_refused_v1.detail IS 'the same as a sentence'""",
    """COMMENT ON COLUMN g1.knowledge_refused_v1.refused_at IS 'when'""",
    """CREATE TABLE g1.knowledge_requests_v1 (
    tenant TEXT NOT NULL,
    request_id TEXT NOT NULL,
    kind TEXT,
    document_id TEXT,
    domain TEXT,
    encoder TEXT,
    requested_by TEXT,
    asked_at TIMESTAMP WITH TIME ZONE,
    begun_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant, request_id)
)""",
    """COMMENT ON TABLE g1.knowledge_requests_v1 IS 'What was asked about knowledge, and by whom; what is to be forgotten of it is not here.'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.tenant IS 'whose request'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.request_id IS 'the request'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.kind IS 'add, remove, clear or reindex'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.document_id IS 'the document, where one is meant'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.domain IS 'the domain, where one is meant'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.encoder IS 'the encoder, where one is asked for'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.requested_by IS 'who asked'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.asked_at IS 'when it was accepted'""",
    """COMMENT ON COLUMN g1.knowledge_requests_v1.begun_at IS 'since when chunks get vectors of another encoder, where one was asked for'""",
)
_VIEWS = (
    """create view public.knowledge_domains (tenant, domain, description, created_at, cleared_at) as
select known.tenant, known.domain, known.description, known.created_at, known.cleared_at
from g1.knowledge_domains_v1 as known""",
    """comment on view public.knowledge_domains is 'Domains of knowledge: families of documents that agents are granted.'""",
    """comment on column public.knowledge_domains.tenant is 'whose domain it is'""",
    """comment on column public.knowledge_domains.domain is 'its name'""",
    """comment on column public.knowledge_domains.description is 'what its documents are about'""",
    """comment on column public.knowledge_domains.created_at is 'since when it is there'""",
    """comment on column public.knowledge_domains.cleared_at is 'when all its documents were last removed; null: never'""",
    """grant select on public.knowledge_domains to smolit_analyst""",
    """create view public.knowledge_documents (tenant, document_id, version, domain, name, title, media_type, sha256, size, source, meta, rights, language, chars, chunks, since, until, added_at, ended_at, erased, state) as
select known.tenant, known.document_id, known.version, known.domain, known.name, known.title, known.media_type, known.sha256, known.size, known.source, known.meta, known.rights, known.language, known.chars, known.chunks, known.since, known.until, known.added_at, known.ended_at, known.erased, case when known.erased then 'erased' when known.until is null then 'live' else 'ended' end as state
from g1.knowledge_documents_v1 as known""",
    """comment on view public.knowledge_documents is 'Versions of documents: which is found when, under which rights, and what is known of it.'""",
    """comment on column public.knowledge_documents.tenant is 'whose document it is'""",
    """comment on column public.knowledge_documents.document_id is 'the document'""",
    """comment on column public.knowledge_documents.version is 'version of the document, from 1'""",
    """comment on column public.knowledge_documents.domain is 'domain that it belongs to'""",
    """comment on column public.knowledge_documents.name is 'what it is called within its domain; null: erased'""",
    """comment on column public.knowledge_documents.title is 'its title; null: erased'""",
    """comment on column public.knowledge_documents.media_type is 'what it is'""",
    """comment on column public.knowledge_documents.sha256 is 'digest of its bytes; null: erased'""",
    """comment on column public.knowledge_documents.size is 'bytes'""",
    """comment on column public.knowledge_documents.source is 'where it comes from; null: erased'""",
    """comment on column public.knowledge_documents.meta is 'what is known of it, by name; null: erased'""",
    """comment on column public.knowledge_documents.rights is 'what a reader has to hold, all of them'""",
    """comment on column public.knowledge_documents.language is 'language of its text; und: not told'""",
    """comment on column public.knowledge_documents.chars is 'characters of its text'""",
    """comment on column public.knowledge_documents.chunks is 'pieces that its text was cut into'""",
    """comment on column public.knowledge_documents.since is 'offset from which on it is found'""",
    """comment on column public.knowledge_documents.until is 'offset from which on it is found no more; null: it is'""",
    """comment on column public.knowledge_documents.added_at is 'when it was taken in'""",
    """comment on column public.knowledge_documents.ended_at is 'when it was replaced or removed; null: it is there'""",
    """comment on column public.knowledge_documents.erased is 'whether its texts and vectors were deleted'""",
    """comment on column public.knowledge_documents.state is 'live, ended (replaced, or removed with its history kept) or erased'""",
    """grant select on public.knowledge_documents to smolit_analyst""",
    """create view public.knowledge_chunks (tenant, document_id, version, chunk, starts, ends, heading, text, words) as
select known.tenant, known.document_id, known.version, known.chunk, known.starts, known.ends, known.heading, known.text, known.words
from g1.knowledge_chunks_v1 as known""",
    """comment on view public.knowledge_chunks is 'Pieces of documents, with their words for full-text search.'""",
    """comment on column public.knowledge_chunks.tenant is 'whose document it is'""",
    """comment on column public.knowledge_chunks.document_id is 'the document'""",
    """comment on column public.knowledge_chunks.version is 'version of the document'""",
    """comment on column public.knowledge_chunks.chunk is 'place of the piece in it, from 0'""",
    """comment on column public.knowledge_chunks.starts is 'first character in the document''s text'""",
    """comment on column public.knowledge_chunks.ends is 'behind the last character'""",
    """comment on column public.knowledge_chunks.heading is 'heading that it stands under'""",
    """comment on column public.knowledge_chunks.text is 'the piece itself'""",
    """comment on column public.knowledge_chunks.words is 'its words, for full-text search'""",
    """grant select on public.knowledge_chunks to smolit_analyst""",
    """create view public.knowledge_vectors (encoder, tenant, document_id, version, chunk, embedding) as
select known.encoder, known.tenant, known.document_id, known.version, known.chunk, known.embedding
from g1.knowledge_vectors_v1 as known""",
    """comment on view public.knowledge_vectors is 'Vectors of the pieces, by the encoder that made them: those of one are built beside those of another.'""",
    """comment on column public.knowledge_vectors.encoder is 'what made the vector: name and digest'""",
    """comment on column public.knowledge_vectors.tenant is 'whose document it is'""",
    """comment on column public.knowledge_vectors.document_id is 'the document'""",
    """comment on column public.knowledge_vectors.version is 'version of the document'""",
    """comment on column public.knowledge_vectors.chunk is 'place of the piece in it'""",
    """comment on column public.knowledge_vectors.embedding is 'embedding of the piece: 384 numbers'""",
    """grant select on public.knowledge_vectors to smolit_analyst""",
    """create view public.knowledge_encoders (tenant, since, encoder, kind, since_at) as
select known.tenant, known.since, known.encoder, known.kind, known.since_at
from g1.knowledge_encoders_v1 as known""",
    """comment on view public.knowledge_encoders is 'Which encoder''s vectors texts are found by, and since when.'""",
    """comment on column public.knowledge_encoders.tenant is 'whose texts'""",
    """comment on column public.knowledge_encoders.since is 'offset from which on its vectors serve'""",
    """comment on column public.knowledge_encoders.encoder is 'what makes the vectors: name and digest'""",
    """comment on column public.knowledge_encoders.kind is 'what the settings call it'""",
    """comment on column public.knowledge_encoders.since_at is 'when that was'""",
    """grant select on public.knowledge_encoders to smolit_analyst""",
    """create view public.knowledge_refused (tenant, request_id, document_id, domain, reason, detail, refused_at) as
select known.tenant, known.request_id, known.document_id, known.domain, known.reason, known.detail, known.refused_at
from g1.knowledge_refused_v1 as known""",
    """comment on view public.knowledge_refused is 'Requests about knowledge that nothing came of, and why.'""",
    """comment on column public.knowledge_refused.tenant is 'whose request'""",
    """comment on column public.knowledge_refused.request_id is 'the request'""",
    """comment on column public.knowledge_refused.document_id is 'the document, where one was named'""",
    """comment on column public.knowledge_refused.domain is 'the domain, where one was named'""",
    """comment on column public.knowledge_refused.reason is 'why nothing came of it, as a code'""",
    """comment on column public.knowledge_refused.detail is 'the same as a sentence'""",
    """comment on column public.knowledge_refused.refused_at is 'when'""",
    """grant select on public.knowledge_refused to smolit_analyst""",
    """create view public.knowledge_requests (tenant, request_id, kind, document_id, domain, encoder, requested_by, asked_at, begun_at) as
select known.tenant, known.request_id, known.kind, known.document_id, known.domain, known.encoder, known.requested_by, known.asked_at, known.begun_at
from g1.knowledge_requests_v1 as known""",
    """comment on view public.knowledge_requests is 'What was asked about knowledge, and by whom; what is to be forgotten of it is not here.'""",
    """comment on column public.knowledge_requests.tenant is 'whose request'""",
    """comment on column public.knowledge_requests.request_id is 'the request'""",
    """comment on column public.knowledge_requests.kind is 'add, remove, clear or reindex'""",
    """comment on column public.knowledge_requests.document_id is 'the document, where one is meant'""",
    """comment on column public.knowledge_requests.domain is 'the domain, where one is meant'""",
    """comment on column public.knowledge_requests.encoder is 'the encoder, where one is asked for'""",
    """comment on column public.knowledge_requests.requested_by is 'who asked'""",
    """comment on column public.knowledge_requests.asked_at is 'when it was accepted'""",
    """comment on column public.knowledge_requests.begun_at is 'since when chunks get vectors of another encoder, where one was asked for'""",
    """grant select on public.knowledge_requests to smolit_analyst""",
)


def upgrade() -> None:
    """No release before this one knew documents, so the new tables are empty in every generation, as its log says."""
    for statement in _OPS:
        op.execute(statement)
    for generation, state in _generations():
        for statement in _TABLES:
            op.execute(statement.replace("g1.", f"{generation}."))
        _views(generation, state)
        for name, digest in _SHAPES.items():
            _shape(generation, "shape || jsonb_build_object(cast(:name as text), cast(:digest as text))", name=name, digest=digest)


def downgrade() -> None:
    """Forget what was taken in; the log has it."""
    for view in _VIEW_NAMES:
        op.execute(f"drop view if exists public.{view}")
    for generation, _ in _generations(""):
        for view in _VIEW_NAMES:
            op.execute(f"drop view if exists {generation}.{view}")
        for table in _TABLE_NAMES:
            op.execute(f"drop table if exists {generation}.{table}")
        for name in _SHAPES:
            _shape(generation, "shape - cast(:name as text)", name=name)
    for table in ("knowledge_encoder", "knowledge_document", "knowledge_domain"):
        op.drop_table(table, schema="ops")


def _generations(which: str = "and not shape ? 'knowledge_documents'") -> list[tuple[str, str]]:
    """Return generations that are there with their states; nobody folds into them until we are done."""
    query = f"select name, state from ops.read_generation where state <> 'dropped' {which} order by name for update"
    return [(name, state) for name, state in op.get_bind().execute(sa.text(query))]


def _shape(generation: str, shape: str, **values: str) -> None:
    """Note what a generation holds now."""
    update = f"update ops.read_generation set shape = {shape} where name = :generation"
    op.execute(sa.text(update).bindparams(generation=generation, **values))


def _views(generation: str, state: str) -> None:
    """Make the views in public if the generation serves, and in its own schema if it has such views."""
    has_own = op.get_bind().execute(sa.text(f"select to_regclass('{generation}.tasks') is not null")).scalar_one()
    for schema, wanted in (("public", state == "serving"), (generation, has_own)):
        for statement in _VIEWS if wanted else ():
            op.execute(statement.replace("g1.", f"{generation}.").replace("public.", f"{schema}."))
