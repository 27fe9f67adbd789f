-- What was asked under an Idempotency-Key and what it came to. A row is good for a day.
CREATE TABLE idempotency (
    place TEXT PRIMARY KEY,
    request_hash BYTEA NOT NULL CHECK (octet_length(request_hash) = 32),
    created_at TIMESTAMPTZ NOT NULL,
    outcome TEXT,
    status BIGINT,
    content_type TEXT,
    event_number BIGINT,
    body BYTEA,
    CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_created ON idempotency (created_at);
