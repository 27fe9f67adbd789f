-- Keys of programs. Only the hash of a key is kept; what is deleted stays, so that deleting it again is the same.
CREATE TABLE api_key (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES registry_user (id),
    key_hash BLOB NOT NULL CHECK (length(key_hash) = 32),
    name TEXT NOT NULL,
    scopes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL CHECK (is_deleted IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX api_key_hash ON api_key (key_hash);
CREATE INDEX api_key_holder ON api_key (user_id, id);
