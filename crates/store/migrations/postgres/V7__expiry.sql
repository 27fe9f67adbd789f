-- How far the sweep of expired bundles has come, for each lifetime that bundles were issued with: none of those bundles is
-- Active or Locked whose time came at or before it. It saves an index over the bundles' expiry.
CREATE TABLE expiry_mark (
    years SMALLINT PRIMARY KEY CHECK (years BETWEEN 0 AND 255),
    swept_until TIMESTAMPTZ NOT NULL
);
INSERT INTO expiry_mark (years, swept_until)
SELECT EXTRACT(YEAR FROM expires_at AT TIME ZONE 'UTC') - EXTRACT(YEAR FROM production_end AT TIME ZONE 'UTC'),
    MIN(expires_at) - INTERVAL '1 microsecond'
FROM bundle GROUP BY 1;
