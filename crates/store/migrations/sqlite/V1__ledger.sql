-- The ledger's head: who holds this row owns the next numbers. Instants are microseconds since 1970, UTC.
CREATE TABLE ledger_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    event_number INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    leaf BLOB NOT NULL CHECK (length(leaf) = 32),
    peaks BLOB NOT NULL,
    next_user INTEGER NOT NULL,
    next_organisation INTEGER NOT NULL,
    next_account INTEGER NOT NULL,
    next_device INTEGER NOT NULL,
    next_measurement INTEGER NOT NULL,
    next_metadata INTEGER NOT NULL,
    next_attributes INTEGER NOT NULL,
    next_bundle INTEGER NOT NULL,
    next_action INTEGER NOT NULL,
    next_job INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_head VALUES (1, 0, 0, zeroblob(32), x'', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);

CREATE TABLE organisation (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    business_id TEXT NOT NULL,
    primary_contact TEXT NOT NULL,
    address TEXT,
    website TEXT,
    is_deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX organisation_name ON organisation (name) WHERE NOT is_deleted;

CREATE TABLE registry_user (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    primary_contact TEXT NOT NULL,
    roles INTEGER NOT NULL,
    organisation TEXT,
    is_deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX registry_user_contact ON registry_user (primary_contact) WHERE NOT is_deleted;

-- Secrets stand apart from what is read and exported.
CREATE TABLE user_secret (
    user_id INTEGER PRIMARY KEY REFERENCES registry_user (id),
    password_hash TEXT NOT NULL
) STRICT;

CREATE TABLE session (
    token_hash BLOB PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES registry_user (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_holder ON session (user_id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    organisation_id INTEGER REFERENCES organisation (id),
    is_deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX account_name ON account (name) WHERE NOT is_deleted;

CREATE TABLE account_user (
    user_id INTEGER NOT NULL REFERENCES registry_user (id),
    account_id INTEGER NOT NULL REFERENCES account (id),
    PRIMARY KEY (user_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_user_account ON account_user (account_id, user_id);

-- account_id accepts bundles from source_account_id.
CREATE TABLE account_whitelist (
    account_id INTEGER NOT NULL REFERENCES account (id),
    source_account_id INTEGER NOT NULL REFERENCES account (id),
    PRIMARY KEY (account_id, source_account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_whitelist_source ON account_whitelist (source_account_id, account_id);

CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    grid TEXT NOT NULL,
    energy_source INTEGER NOT NULL,
    technology_type TEXT NOT NULL,
    operational_date INTEGER NOT NULL,
    capacity_watts INTEGER NOT NULL CHECK (capacity_watts >= 0),
    peak_demand_watts INTEGER NOT NULL CHECK (peak_demand_watts >= 0),
    location TEXT NOT NULL,
    meter_data_id TEXT,
    kind INTEGER NOT NULL,
    version INTEGER NOT NULL,
    is_approved INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    gross_net INTEGER,
    next_certificate INTEGER NOT NULL CHECK (next_certificate >= 1)
) STRICT;
CREATE INDEX device_account ON device (account_id, id);
-- For ever, also of deleted devices: two devices on one meter would count it twice.
CREATE UNIQUE INDEX device_meter ON device (meter_data_id) WHERE meter_data_id IS NOT NULL;

CREATE TABLE measurement (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL,
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL CHECK (end_at > start_at),
    energy_wh INTEGER NOT NULL,
    gross_net INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    source INTEGER NOT NULL,
    action_id INTEGER NOT NULL,
    superseded_by INTEGER
) STRICT;
CREATE UNIQUE INDEX measurement_current ON measurement (device_id, start_at) WHERE superseded_by IS NULL;

CREATE TABLE issuance_metadata (
    id INTEGER PRIMARY KEY,
    country_of_issuance TEXT NOT NULL,
    connected_grid_identification TEXT NOT NULL,
    issuing_body TEXT NOT NULL,
    issue_market_zone TEXT NOT NULL,
    legal_status TEXT,
    issuance_purpose TEXT,
    support_received TEXT,
    quality_scheme_reference TEXT,
    dissemination_level TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- What certificates say of their device as it was at issue.
CREATE TABLE certificate_attributes (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    device_version INTEGER NOT NULL,
    metadata_id INTEGER NOT NULL REFERENCES issuance_metadata (id),
    energy_carrier INTEGER NOT NULL,
    name TEXT NOT NULL,
    grid TEXT NOT NULL,
    energy_source INTEGER NOT NULL,
    technology_type TEXT NOT NULL,
    operational_date INTEGER NOT NULL,
    capacity_watts INTEGER NOT NULL,
    peak_demand_watts INTEGER NOT NULL,
    location TEXT NOT NULL,
    meter_data_id TEXT,
    kind INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    UNIQUE (device_id, device_version, metadata_id)
) STRICT;

-- No status in the predicate of an index here: each change of status would touch it.
CREATE TABLE bundle (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    device_id INTEGER NOT NULL,
    attributes_id INTEGER NOT NULL,
    range_first INTEGER NOT NULL CHECK (range_first >= 1),
    range_last INTEGER NOT NULL,
    production_start INTEGER NOT NULL,
    production_end INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    parent_id INTEGER,
    status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 8),
    beneficiary TEXT,
    beneficiary_account_id INTEGER,
    purpose TEXT,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    CHECK (range_last >= range_first),
    CHECK (production_end > production_start)
) STRICT;
CREATE INDEX bundle_account ON bundle (account_id, production_start, id);
CREATE UNIQUE INDEX bundle_place ON bundle (device_id, production_start, range_first, range_last);

CREATE TABLE action (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    actor INTEGER NOT NULL,
    account_id INTEGER,
    requested_at INTEGER NOT NULL,
    completed_at INTEGER NOT NULL,
    request TEXT NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    first_event INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    CHECK (last_event >= first_event)
) STRICT;
CREATE INDEX action_account ON action (account_id, id);

CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,
    action_id INTEGER NOT NULL,
    entity INTEGER NOT NULL,
    entity_id INTEGER NOT NULL,
    event_type INTEGER NOT NULL,
    attributes_before BLOB,
    attributes_after BLOB,
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    leaf BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;
CREATE INDEX event_entity ON event (entity, entity_id, number);

CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER action_update BEFORE UPDATE ON action BEGIN SELECT RAISE(ABORT, 'actions are append-only'); END;
CREATE TRIGGER action_delete BEFORE DELETE ON action BEGIN SELECT RAISE(ABORT, 'actions are append-only'); END;

-- Long work, cut into actions. state: 1 running, 2 done, 3 failed, 4 interrupted.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    request TEXT NOT NULL,
    progress TEXT NOT NULL,
    position INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX job_user ON job (user_id, id);
CREATE INDEX job_state ON job (state, id);
