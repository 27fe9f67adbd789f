-- Keys of programs. Only the hash of a key is kept; what is deleted stays, so that deleting it again is the same.
CREATE TABLE api_key (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES registry_user (id),
    key_hash BYTEA NOT NULL CHECK (octet_length(key_hash) = 32),
    name TEXT NOT NULL,
    scopes BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    is_deleted BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX api_key_hash ON api_key (key_hash);
CREATE INDEX api_key_holder ON api_key (user_id, id);
