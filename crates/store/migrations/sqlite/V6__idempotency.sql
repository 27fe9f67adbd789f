-- What was asked under an Idempotency-Key and what it came to. A row is good for a day.
CREATE TABLE idempotency (
    place TEXT PRIMARY KEY,
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    created_at INTEGER NOT NULL,
    outcome TEXT,
    status INTEGER,
    content_type TEXT,
    event_number INTEGER,
    body BLOB,
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_at);
