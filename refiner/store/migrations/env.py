"""Alembic's entry: runs the migrations on the connection it is given, within that connection's transaction."""

from alembic import context

from refiner.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
