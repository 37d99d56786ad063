"""Every version of the tables, for alembic; `refiner.store.schema` runs them."""
