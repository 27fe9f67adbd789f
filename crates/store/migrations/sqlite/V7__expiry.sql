-- How far the sweep of expired bundles has come, for each lifetime that bundles were issued with: none of those bundles is
-- Active or Locked whose time came at or before it. It saves an index over the bundles' expiry.
CREATE TABLE expiry_mark (
    years INTEGER PRIMARY KEY CHECK (years BETWEEN 0 AND 255),
    swept_until INTEGER NOT NULL
) STRICT;
INSERT INTO expiry_mark (years, swept_until)
SELECT strftime('%Y', expires_at / 1000000, 'unixepoch') - strftime('%Y', production_end / 1000000, 'unixepoch'),
    MIN(expires_at) - 1
FROM bundle GROUP BY 1;
