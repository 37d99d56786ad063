"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("stop", sa.String()),
        sa.Column("owner", sa.String()),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("control", sa.String()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("iterations", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_runs_created_at", "runs", ["created_at"])
    op.create_table(
        "texts",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("encoding", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "uses",
        _run(),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "digest"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["digest"], ["texts.digest"]),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_uses_digest", "uses", ["digest"])
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        _run(),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.UniqueConstraint("run_id", "place"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "calls",
        _run(),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("messages", sa.String(), nullable=False),
        sa.Column("reply", sa.String()),
        sa.Column("finish", sa.String()),
        sa.Column("error", sa.String()),
        sa.Column("calls", sa.Integer()),
        sa.Column("input_tokens", sa.Integer()),
        sa.Column("cached_input_tokens", sa.Integer()),
        sa.Column("output_tokens", sa.Integer()),
        sa.Column("reasoning_tokens", sa.Integer()),
        sa.Column("cost_usd", sa.Float()),
        sa.Column("estimated", sa.Boolean()),
        sa.Column("seconds", sa.Float()),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("ended_at", moment),
        sa.PrimaryKeyConstraint("run_id", "key", "attempt"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
    )
    _of_candidate(
        "candidates",
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("parsed", sa.String()),
        sa.Column("problem", sa.String()),
    )
    _of_iteration(
        "evaluations",
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("critique", sa.String(), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("passed", sa.Integer()),
        sa.Column("total", sa.Integer()),
    )
    _of_iteration("gradients", sa.Column("text", sa.String(), nullable=False))
    _of_candidate(
        "decisions",
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
    )
    _of_candidate(
        "executions",
        sa.Column("against", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("passed", sa.Integer()),
        sa.Column("total", sa.Integer()),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("output", sa.String()),
        key=("against",),
    )


def _run() -> sa.Column[str]:
    return sa.Column("run_id", sa.String(), nullable=False)


def _of_candidate(name: str, *columns: sa.Column[Any], key: tuple[str, ...] = ()) -> None:
    _of_chain(name, sa.Column("index", sa.Integer(), nullable=False), *columns, key=("index", *key))


def _of_iteration(name: str, *columns: sa.Column[Any]) -> None:
    iteration = sa.Column("iteration", sa.Integer(), nullable=False)
    _of_chain(name, iteration, sa.Column("index", sa.Integer(), nullable=False), *columns, key=("iteration",))


def _of_chain(name: str, *columns: sa.Column[Any], key: tuple[str, ...]) -> None:
    op.create_table(
        name,
        _run(),
        sa.Column("chain", sa.Integer(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("run_id", "chain", *key),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
    )
