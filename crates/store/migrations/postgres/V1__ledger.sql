-- The names of SQLite's table-valued function, so that a set is one SQL text on both engines.
CREATE FUNCTION rarray(ids BIGINT[]) RETURNS TABLE (value BIGINT)
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 256 AS 'SELECT unnest(ids)';
CREATE FUNCTION rarray_text(texts TEXT[]) RETURNS TABLE (value TEXT)
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 256 AS 'SELECT unnest(texts)';

-- The ledger's head: who holds this row owns the next numbers.
CREATE TABLE ledger_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    event_number BIGINT NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    leaf BYTEA NOT NULL CHECK (octet_length(leaf) = 32),
    peaks BYTEA NOT NULL,
    next_user BIGINT NOT NULL,
    next_organisation BIGINT NOT NULL,
    next_account BIGINT NOT NULL,
    next_device BIGINT NOT NULL,
    next_measurement BIGINT NOT NULL,
    next_metadata BIGINT NOT NULL,
    next_attributes BIGINT NOT NULL,
    next_bundle BIGINT NOT NULL,
    next_action BIGINT NOT NULL,
    next_job BIGINT NOT NULL
);
INSERT INTO ledger_head VALUES (1, 0, '1970-01-01T00:00:00Z', decode(repeat('00', 32), 'hex'), '', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);

CREATE TABLE organisation (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    business_id TEXT NOT NULL,
    primary_contact TEXT NOT NULL,
    address TEXT,
    website TEXT,
    is_deleted BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX organisation_name ON organisation (name) WHERE NOT is_deleted;

CREATE TABLE registry_user (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    primary_contact TEXT NOT NULL,
    roles BIGINT NOT NULL,
    organisation TEXT,
    is_deleted BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX registry_user_contact ON registry_user (primary_contact) WHERE NOT is_deleted;

-- Secrets stand apart from what is read and exported.
CREATE TABLE user_secret (
    user_id BIGINT PRIMARY KEY REFERENCES registry_user (id),
    password_hash TEXT NOT NULL
);

CREATE TABLE session (
    token_hash BYTEA PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES registry_user (id),
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX session_holder ON session (user_id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE account (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    organisation_id BIGINT REFERENCES organisation (id),
    is_deleted BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX account_name ON account (name) WHERE NOT is_deleted;

CREATE TABLE account_user (
    user_id BIGINT NOT NULL REFERENCES registry_user (id),
    account_id BIGINT NOT NULL REFERENCES account (id),
    PRIMARY KEY (user_id, account_id)
);
CREATE INDEX account_user_account ON account_user (account_id, user_id);

-- account_id accepts bundles from source_account_id.
CREATE TABLE account_whitelist (
    account_id BIGINT NOT NULL REFERENCES account (id),
    source_account_id BIGINT NOT NULL REFERENCES account (id),
    PRIMARY KEY (account_id, source_account_id)
);
CREATE INDEX account_whitelist_source ON account_whitelist (source_account_id, account_id);

CREATE TABLE device (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    grid TEXT NOT NULL,
    energy_source SMALLINT NOT NULL,
    technology_type TEXT NOT NULL,
    operational_date TIMESTAMPTZ NOT NULL,
    capacity_watts BIGINT NOT NULL CHECK (capacity_watts >= 0),
    peak_demand_watts BIGINT NOT NULL CHECK (peak_demand_watts >= 0),
    location TEXT NOT NULL,
    meter_data_id TEXT,
    kind SMALLINT NOT NULL,
    version BIGINT NOT NULL,
    is_approved BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    gross_net SMALLINT,
    next_certificate BIGINT NOT NULL CHECK (next_certificate >= 1)
);
CREATE INDEX device_account ON device (account_id, id);
-- For ever, also of deleted devices: two devices on one meter would count it twice.
CREATE UNIQUE INDEX device_meter ON device (meter_data_id) WHERE meter_data_id IS NOT NULL;

CREATE TABLE measurement (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL,
    start_at TIMESTAMPTZ NOT NULL,
    end_at TIMESTAMPTZ NOT NULL CHECK (end_at > start_at),
    energy_wh BIGINT NOT NULL,
    gross_net SMALLINT NOT NULL,
    quality SMALLINT NOT NULL,
    source SMALLINT NOT NULL,
    action_id BIGINT NOT NULL,
    superseded_by BIGINT
);
CREATE UNIQUE INDEX measurement_current ON measurement (device_id, start_at) WHERE superseded_by IS NULL;

CREATE TABLE issuance_metadata (
    id BIGINT PRIMARY KEY,
    country_of_issuance TEXT NOT NULL,
    connected_grid_identification TEXT NOT NULL,
    issuing_body TEXT NOT NULL,
    issue_market_zone TEXT NOT NULL,
    legal_status TEXT,
    issuance_purpose TEXT,
    support_received TEXT,
    quality_scheme_reference TEXT,
    dissemination_level TEXT,
    created_at TIMESTAMPTZ NOT NULL
);

-- What certificates say of their device as it was at issue.
CREATE TABLE certificate_attributes (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES device (id),
    device_version BIGINT NOT NULL,
    metadata_id BIGINT NOT NULL REFERENCES issuance_metadata (id),
    energy_carrier SMALLINT NOT NULL,
    name TEXT NOT NULL,
    grid TEXT NOT NULL,
    energy_source SMALLINT NOT NULL,
    technology_type TEXT NOT NULL,
    operational_date TIMESTAMPTZ NOT NULL,
    capacity_watts BIGINT NOT NULL,
    peak_demand_watts BIGINT NOT NULL,
    location TEXT NOT NULL,
    meter_data_id TEXT,
    kind SMALLINT NOT NULL,
    hash BYTEA NOT NULL CHECK (octet_length(hash) = 32),
    UNIQUE (device_id, device_version, metadata_id)
);

-- No status in the predicate of an index here: each change of status would touch it.
CREATE TABLE bundle (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL,
    device_id BIGINT NOT NULL,
    attributes_id BIGINT NOT NULL,
    range_first BIGINT NOT NULL CHECK (range_first >= 1),
    range_last BIGINT NOT NULL,
    production_start TIMESTAMPTZ NOT NULL,
    production_end TIMESTAMPTZ NOT NULL,
    issued_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    parent_id BIGINT,
    status SMALLINT NOT NULL CHECK (status BETWEEN 1 AND 8),
    beneficiary TEXT,
    beneficiary_account_id BIGINT,
    purpose TEXT,
    hash BYTEA NOT NULL CHECK (octet_length(hash) = 32),
    CHECK (range_last >= range_first),
    CHECK (production_end > production_start)
);
CREATE INDEX bundle_account ON bundle (account_id, production_start, id);
CREATE UNIQUE INDEX bundle_place ON bundle (device_id, production_start, range_first, range_last);

CREATE TABLE action (
    id BIGINT PRIMARY KEY,
    kind SMALLINT NOT NULL,
    actor BIGINT NOT NULL,
    account_id BIGINT,
    requested_at TIMESTAMPTZ NOT NULL,
    completed_at TIMESTAMPTZ NOT NULL,
    request TEXT NOT NULL,
    salt BYTEA NOT NULL CHECK (octet_length(salt) = 16),
    hash BYTEA NOT NULL CHECK (octet_length(hash) = 32),
    first_event BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    CHECK (last_event >= first_event)
);
CREATE INDEX action_account ON action (account_id, id);

CREATE TABLE event (
    number BIGINT PRIMARY KEY,
    recorded_at TIMESTAMPTZ NOT NULL,
    action_id BIGINT NOT NULL,
    entity SMALLINT NOT NULL,
    entity_id BIGINT NOT NULL,
    event_type SMALLINT NOT NULL,
    attributes_before BYTEA,
    attributes_after BYTEA,
    salt BYTEA NOT NULL CHECK (octet_length(salt) = 16),
    leaf BYTEA NOT NULL CHECK (octet_length(leaf) = 32)
);
CREATE INDEX event_entity ON event (entity, entity_id, number);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME || 's'; END $$;
CREATE TRIGGER event_change BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER action_change BEFORE UPDATE OR DELETE ON action FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER action_truncate BEFORE TRUNCATE ON action FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Long work, cut into actions. state: 1 running, 2 done, 3 failed, 4 interrupted.
CREATE TABLE job (
    id BIGINT PRIMARY KEY,
    kind SMALLINT NOT NULL,
    user_id BIGINT NOT NULL,
    state SMALLINT NOT NULL CHECK (state BETWEEN 1 AND 4),
    request TEXT NOT NULL,
    progress TEXT NOT NULL,
    position BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX job_user ON job (user_id, id);
CREATE INDEX job_state ON job (state, id);
