-- What storage took in (scr) and gave out (sdr), and what each discharge draws of which charge. Of a charge, drawn_backed_wh
-- and drawn_unbacked_wh are what standing discharges draw. An allocated bundle backs one standing charge.
ALTER TABLE ledger_head ADD COLUMN next_scr INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ledger_head ADD COLUMN next_sdr INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ledger_head ADD COLUMN next_draw INTEGER NOT NULL DEFAULT 1;

CREATE TABLE scr (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL CHECK (end_at > start_at),
    energy_wh INTEGER NOT NULL CHECK (energy_wh > 0),
    bundle_id INTEGER,
    backed_wh INTEGER CHECK (backed_wh > 0 AND backed_wh <= energy_wh),
    matching_method TEXT,
    created_at INTEGER NOT NULL,
    is_withdrawn INTEGER NOT NULL,
    drawn_backed_wh INTEGER NOT NULL CHECK (drawn_backed_wh >= 0),
    drawn_unbacked_wh INTEGER NOT NULL CHECK (drawn_unbacked_wh >= 0),
    CHECK ((bundle_id IS NULL) = (backed_wh IS NULL)),
    CHECK (drawn_backed_wh <= COALESCE(backed_wh, 0)),
    CHECK (drawn_backed_wh + drawn_unbacked_wh <= energy_wh)
) STRICT;
CREATE INDEX scr_place ON scr (device_id, start_at, id);
CREATE INDEX scr_open ON scr (device_id, start_at) WHERE NOT is_withdrawn AND drawn_backed_wh + drawn_unbacked_wh < energy_wh;
CREATE UNIQUE INDEX scr_bundle ON scr (bundle_id) WHERE bundle_id IS NOT NULL AND NOT is_withdrawn;

-- method: 1 FIFO, 2 LIFO, 3 weighted average, 4 operator's discretion.
CREATE TABLE sdr (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL CHECK (end_at > start_at),
    energy_wh INTEGER NOT NULL CHECK (energy_wh > 0),
    method INTEGER NOT NULL CHECK (method BETWEEN 1 AND 4),
    efficiency_start INTEGER NOT NULL,
    efficiency_end INTEGER NOT NULL CHECK (efficiency_end > efficiency_start),
    input_wh INTEGER NOT NULL CHECK (input_wh > 0),
    output_wh INTEGER NOT NULL CHECK (output_wh >= 0),
    charge_before_wh INTEGER NOT NULL CHECK (charge_before_wh >= 0),
    charge_after_wh INTEGER NOT NULL CHECK (charge_after_wh >= 0),
    created_at INTEGER NOT NULL,
    is_withdrawn INTEGER NOT NULL
) STRICT;
CREATE INDEX sdr_place ON sdr (device_id, start_at, id);
CREATE INDEX sdr_device ON sdr (device_id, id);

CREATE TABLE storage_draw (
    id INTEGER PRIMARY KEY,
    sdr_id INTEGER NOT NULL REFERENCES sdr (id),
    scr_id INTEGER NOT NULL REFERENCES scr (id),
    backed_wh INTEGER NOT NULL CHECK (backed_wh >= 0),
    unbacked_wh INTEGER NOT NULL CHECK (unbacked_wh >= 0),
    certificates INTEGER NOT NULL CHECK (certificates >= 0 AND certificates <= backed_wh),
    attributes_id INTEGER,
    UNIQUE (sdr_id, scr_id),
    CHECK (backed_wh + unbacked_wh > 0)
) STRICT;
CREATE INDEX storage_draw_scr ON storage_draw (scr_id, id);

-- Of a certificate issued on discharge.
ALTER TABLE bundle ADD COLUMN draw_id INTEGER;
CREATE INDEX bundle_draw ON bundle (draw_id) WHERE draw_id IS NOT NULL;
