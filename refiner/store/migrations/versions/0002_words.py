"""What is asked of live runs: a row a word, instead of one column."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "words",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("control", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("limits", sa.String()),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_words_run_id", "words", ["run_id"])
    op.drop_column("runs", "control")
