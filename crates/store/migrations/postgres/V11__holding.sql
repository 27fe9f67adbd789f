-- What accounts hold, split parents apart, added up by device, snapshot, state and week of production (7 days each, counted from
-- 1970). It follows from the bundles and is kept in the transaction that changes them. expires_first and expires_last
-- embrace the expiry of every bundle that was ever counted here. Rows are changed often and stay where they are.
CREATE TABLE holding (
    account_id BIGINT NOT NULL,
    device_id BIGINT NOT NULL,
    attributes_id BIGINT NOT NULL,
    status SMALLINT NOT NULL,
    week BIGINT NOT NULL,
    bundles BIGINT NOT NULL,
    energy_wh BIGINT NOT NULL,
    expires_first TIMESTAMPTZ NOT NULL,
    expires_last TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, device_id, attributes_id, status, week)
) WITH (fillfactor = 70);
INSERT INTO holding
SELECT account_id, device_id, attributes_id, status, CAST(FLOOR(EXTRACT(EPOCH FROM production_start) / 604800) AS BIGINT) AS week,
    COUNT(*), CAST(SUM(range_last - range_first + 1) AS BIGINT), MIN(expires_at), MAX(expires_at)
FROM bundle WHERE status <> 8 GROUP BY account_id, device_id, attributes_id, status, week;
