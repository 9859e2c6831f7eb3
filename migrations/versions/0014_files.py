"""Files: which of the stored bytes a tenant brought, and may name in requests."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No release before this one took files, so nobody has brought any."""
    op.create_table(
        "tenant_file",
        sa.Column("tenant", sa.Text(), nullable=False, comment="who brought it"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="sha256 of the content, hexadecimal"),
        sa.Column("brought_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False, comment="first brought at"),
        sa.PrimaryKeyConstraint("tenant", "sha256"),
        schema="ops",
        comment="Files that a tenant brought, and may name in requests; the bytes lie in the blob store.",
    )


def downgrade() -> None:
    """Forget who brought them; the bytes stay."""
    op.drop_table("tenant_file", schema="ops")
