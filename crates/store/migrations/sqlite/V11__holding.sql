-- What accounts hold, split parents apart, added up by device, snapshot, state and week of production (7 days each, counted from
-- 1970). It follows from the bundles and is kept in the transaction that changes them. expires_first and expires_last
-- embrace the expiry of every bundle that was ever counted here.
CREATE TABLE holding (
    account_id INTEGER NOT NULL,
    device_id INTEGER NOT NULL,
    attributes_id INTEGER NOT NULL,
    status INTEGER NOT NULL,
    week INTEGER NOT NULL,
    bundles INTEGER NOT NULL,
    energy_wh INTEGER NOT NULL,
    expires_first INTEGER NOT NULL,
    expires_last INTEGER NOT NULL,
    PRIMARY KEY (account_id, device_id, attributes_id, status, week)
) STRICT, WITHOUT ROWID;
-- Rounded down, before 1970 too.
INSERT INTO holding
SELECT account_id, device_id, attributes_id, status,
    production_start / 604800000000 - (production_start < 0 AND production_start % 604800000000 <> 0) AS week,
    COUNT(*), SUM(range_last - range_first + 1), MIN(expires_at), MAX(expires_at)
FROM bundle WHERE status <> 8 GROUP BY account_id, device_id, attributes_id, status, week;
