# SPDX-License-Identifier: Apache-2.0
"""What Alembic runs for every migration; ``migrate.py`` gives it the connection."""

from alembic import context

from api.database.tables import metadata

connection = context.config.attributes["connection"]
# SQLite alters a table by copying it.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
