-- A database as the demonstration registry of December 2024 has it, as far as an import looks at it.
CREATE TYPE certificatestatus AS ENUM
    ('ACTIVE', 'CANCELLED', 'CLAIMED', 'EXPIRED', 'WITHDRAWN', 'LOCKED', 'RESERVED', 'BUNDLE_SPLIT');
CREATE TYPE certificateactiontype AS ENUM
    ('TRANSFER', 'RECURRING_TRANSFER', 'CANCEL', 'RECURRING_CANCEL', 'CLAIM', 'RECURRING_CLAIM', 'WITHDRAW', 'LOCK', 'RESERVE');
CREATE TYPE energycarriertype AS ENUM ('electricity', 'natural_gas', 'hydrogen', 'heat', 'other');
CREATE TYPE energysourcetype AS ENUM
    ('solar_pv', 'wind', 'hydro', 'biomass', 'nuclear', 'electrolysis', 'geothermal', 'battery_storage', 'chp', 'other');

CREATE TABLE account (
    id SERIAL PRIMARY KEY,
    account_name VARCHAR NOT NULL,
    user_ids INTEGER[],
    account_whitelist INTEGER[],
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT '2024-05-01'
);
CREATE TABLE registry_user (
    id SERIAL PRIMARY KEY,
    name VARCHAR NOT NULL,
    primary_contact VARCHAR NOT NULL,
    roles VARCHAR[],
    organisation VARCHAR,
    account_ids VARCHAR[],
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT '2024-05-01'
);
CREATE TABLE useraccountlink (
    user_id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT '2024-05-01',
    PRIMARY KEY (user_id, account_id)
);
CREATE TABLE device (
    id SERIAL PRIMARY KEY,
    device_name VARCHAR NOT NULL,
    meter_data_id VARCHAR,
    grid VARCHAR NOT NULL DEFAULT 'NESO',
    energy_source VARCHAR NOT NULL DEFAULT 'wind',
    technology_type VARCHAR NOT NULL DEFAULT 'wind_turbine',
    operational_date TIMESTAMP NOT NULL DEFAULT '2015-01-01',
    capacity DOUBLE PRECISION NOT NULL DEFAULT 1000000,
    peak_demand DOUBLE PRECISION NOT NULL DEFAULT 0,
    location VARCHAR NOT NULL DEFAULT '53.1, -3.2',
    is_storage BOOLEAN NOT NULL DEFAULT FALSE,
    account_id INTEGER NOT NULL,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT '2024-05-01'
);
CREATE TABLE issuancemetadata (
    id SERIAL PRIMARY KEY,
    country_of_issuance VARCHAR NOT NULL DEFAULT 'GB',
    connected_grid_identification VARCHAR NOT NULL DEFAULT 'NESO',
    issuing_body VARCHAR NOT NULL DEFAULT 'Issuer',
    legal_status VARCHAR,
    issuance_purpose VARCHAR,
    support_received VARCHAR,
    quality_scheme_reference VARCHAR,
    dissemination_level VARCHAR,
    issue_market_zone VARCHAR NOT NULL DEFAULT 'GB',
    created_at TIMESTAMP NOT NULL DEFAULT '2024-05-01'
);
CREATE TABLE measurementreport (
    id SERIAL PRIMARY KEY,
    device_id INTEGER NOT NULL,
    interval_start_datetime TIMESTAMP NOT NULL,
    interval_end_datetime TIMESTAMP NOT NULL,
    interval_usage DOUBLE PRECISION NOT NULL,
    gross_net_indicator VARCHAR NOT NULL DEFAULT 'NET',
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT '2024-05-01'
);
CREATE TABLE granularcertificatebundle (
    id SERIAL PRIMARY KEY,
    issuance_id VARCHAR NOT NULL DEFAULT '',
    hash VARCHAR NOT NULL DEFAULT '',
    certificate_bundle_status certificatestatus NOT NULL DEFAULT 'ACTIVE',
    account_id INTEGER NOT NULL,
    metadata_id INTEGER NOT NULL,
    certificate_bundle_id_range_start BIGINT,
    certificate_bundle_id_range_end BIGINT,
    bundle_quantity INTEGER NOT NULL,
    energy_carrier energycarriertype NOT NULL DEFAULT 'electricity',
    energy_source energysourcetype NOT NULL DEFAULT 'wind',
    face_value INTEGER NOT NULL DEFAULT 1,
    issuance_post_energy_carrier_conversion BOOLEAN NOT NULL DEFAULT FALSE,
    device_id INTEGER NOT NULL,
    production_starting_interval TIMESTAMP NOT NULL,
    production_ending_interval TIMESTAMP NOT NULL,
    expiry_datestamp TIMESTAMP NOT NULL DEFAULT '2030-01-01',
    is_storage INTEGER NOT NULL DEFAULT 0,
    sdr_allocation_id INTEGER,
    storage_efficiency_factor DOUBLE PRECISION,
    emissions_factor_production_device DOUBLE PRECISION,
    emissions_factor_source VARCHAR,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT '2026-05-02'
);
CREATE TABLE granularcertificateaction (
    id SERIAL PRIMARY KEY,
    action_type certificateactiontype NOT NULL,
    source_id INTEGER NOT NULL DEFAULT 2,
    user_id INTEGER NOT NULL DEFAULT 3,
    target_id INTEGER,
    granular_certificate_bundle_ids JSON,
    certificate_quantity INTEGER,
    certificate_bundle_percentage DOUBLE PRECISION,
    beneficiary VARCHAR,
    localise_time BOOLEAN NOT NULL DEFAULT TRUE,
    action_response_status VARCHAR,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL DEFAULT '2026-05-03'
);

-- Bundles of an hour of 1 May 2026 on a device, in short.
CREATE FUNCTION bundle(id INT, device INT, hour INT, account INT, status TEXT, first BIGINT, last BIGINT, quantity INT,
                       gone BOOLEAN DEFAULT FALSE) RETURNS VOID LANGUAGE SQL AS $$
    INSERT INTO granularcertificatebundle (id, device_id, account_id, metadata_id, certificate_bundle_status,
        certificate_bundle_id_range_start, certificate_bundle_id_range_end, bundle_quantity,
        production_starting_interval, production_ending_interval, is_deleted)
    VALUES (id, device, account, 2, CAST(status AS certificatestatus), first, last, quantity,
        TIMESTAMP '2026-05-01' + hour * INTERVAL '1 hour', TIMESTAMP '2026-05-01' + (hour + 1) * INTERVAL '1 hour', gone)
$$;
CREATE FUNCTION reading(id INT, device INT, hour INT, usage DOUBLE PRECISION) RETURNS VOID LANGUAGE SQL AS $$
    INSERT INTO measurementreport (id, device_id, interval_start_datetime, interval_end_datetime, interval_usage)
    VALUES (id, device, TIMESTAMP '2026-05-01' + hour * INTERVAL '1 hour',
        TIMESTAMP '2026-05-01' + (hour + 1) * INTERVAL '1 hour', usage)
$$;
CREATE FUNCTION action(id INT, kind TEXT, bundles TEXT, beneficiary TEXT DEFAULT NULL, status TEXT DEFAULT 'accepted')
    RETURNS VOID LANGUAGE SQL AS $$
    INSERT INTO granularcertificateaction (id, action_type, granular_certificate_bundle_ids, beneficiary,
        action_response_status)
    VALUES (id, CAST(kind AS certificateactiontype), CAST(bundles AS JSON), beneficiary, status)
$$;
