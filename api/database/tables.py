# SPDX-License-Identifier: Apache-2.0
"""The tables. Times are seconds since 1970 in UTC; hashes are SHA-256 in hexadecimal.

The migrations in ``versions/`` make them; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only where the key is exactly INTEGER.
_Number = BigInteger().with_variant(Integer(), "sqlite")

api_keys = Table(
    "api_keys",
    metadata,
    Column("prefix", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("name", String, nullable=False),
    Column("secret_sha256", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Index(None, "tenant"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String, primary_key=True),
    Column("prefix", String, ForeignKey("api_keys.prefix", ondelete="CASCADE"), nullable=False),
    Column("expires_at", Float, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("sha256", String, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Index(None, "sha256"),
)

proofs = Table(
    "proofs",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("model_fingerprint", String, primary_key=True),
    Column("property_fingerprint", String, primary_key=True),
    Column("sha256", String, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("key_prefix", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("request", JSON, nullable=False),
    Column("parent_id", String, ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("model", String),
    Column("property", String),
    Column("verdict", String),
    Column("result", JSON),
    Column("problem", JSON),
    Column("attempts", Integer, nullable=False, default=0),
    Column("token", Integer, nullable=False, default=0),
    Column("worker", String),
    Column("lease_until", Float),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("last_event", Integer, nullable=False, default=0),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Index(None, "state", "lease_until"),
    Index(None, "state", "tenant", "id"),
    Index(None, "tenant", "id"),
    Index(None, "parent_id"),
)

needs = Table(
    "needs",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("needed_id", String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "needed_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("token", Integer, primary_key=True),
    Column("worker", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", String, nullable=False),
    Column("exit_status", Integer),
    Column("detail", String, nullable=False, default=""),
)

events = Table(
    "events",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("type", String, nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", Float, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("job_id", String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("sha256", String, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("media_type", String, nullable=False),
    Column("file_name", String, nullable=False),
    Index(None, "sha256"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("request_sha256", String, nullable=False),
    Column("job_id", String, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("tenant", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("address", String, nullable=False),
    Column("detail", JSON, nullable=False),
    Index(None, "tenant", "id"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
)
