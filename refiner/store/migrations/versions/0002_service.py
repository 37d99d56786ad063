"""What the service needs: a queue in the table of runs, and a row for each word that is said to a live run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "words",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("control", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("limits", sa.String()),
        sa.Column("at", moment, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_words_run_id", "words", ["run_id"])
    op.drop_column("runs", "control")
    op.add_column("runs", sa.Column("queued_at", moment))
    op.add_column("runs", sa.Column("submitter", sa.String()))
    op.add_column("runs", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("key", sa.String()))
    op.add_column("runs", sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_runs_status", "runs", ["status"])
    op.create_index("uq_runs_key", "runs", ["key"], unique=True)
