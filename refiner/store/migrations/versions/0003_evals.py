"""Evals, their items, and which run is of which item."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "evals",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("datasets", sa.String(), nullable=False),
        sa.Column("options", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("owner", sa.String()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
    )
    op.create_index("ix_evals_created_at", "evals", ["created_at"])
    op.create_table(
        "eval_items",
        sa.Column("eval_id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("gold", sa.String()),
        sa.ForeignKeyConstraint(["eval_id"], ["evals.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "sittings",
        sa.Column("eval_id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("replicate", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("part", sa.String(), primary_key=True),
        sa.Column("run_id", sa.String()),
        sa.Column("outcome", sa.String()),
        sa.ForeignKeyConstraint(["eval_id"], ["evals.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="SET NULL"),
    )
    op.create_index("ix_sittings_run_id", "sittings", ["run_id"])
