-- Of what was withdrawn in the interval of a reading, what counts as held no more: by a release, or by the correction
-- that withdrew it.
CREATE TABLE hold_release (
    measurement_id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL,
    start_at INTEGER NOT NULL,
    energy_wh INTEGER NOT NULL CHECK (energy_wh > 0)
) STRICT;
CREATE INDEX hold_release_place ON hold_release (device_id, start_at);

-- Earlier versions of readings. A reading that was deleted is superseded by itself.
CREATE INDEX measurement_past ON measurement (device_id, start_at, id) WHERE superseded_by IS NOT NULL;
