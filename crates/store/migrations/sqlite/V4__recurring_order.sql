-- What is to be transferred or cancelled again and again. kind: 1 transfer, 2 cancel. state: 1 active, 2 paused, 3 ended.
-- share is in steps of 10^-18. An order that has not ended says when it is due next.
ALTER TABLE ledger_head ADD COLUMN next_recurring_order INTEGER NOT NULL DEFAULT 1;

CREATE TABLE recurring_order (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
    source_id INTEGER NOT NULL REFERENCES account (id),
    target_id INTEGER,
    beneficiary TEXT,
    beneficiary_account_id INTEGER,
    purpose TEXT,
    first_at INTEGER NOT NULL,
    period_unit INTEGER NOT NULL CHECK (period_unit BETWEEN 1 AND 4),
    period_quantity INTEGER NOT NULL CHECK (period_quantity >= 1),
    runs INTEGER CHECK (runs >= 1),
    device_id INTEGER,
    energy_source INTEGER,
    quantity INTEGER CHECK (quantity >= 1),
    share INTEGER CHECK (share >= 1),
    ordered_by INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
    next_due_at INTEGER,
    runs_done INTEGER NOT NULL CHECK (runs_done >= 0),
    CHECK ((state = 3) = (next_due_at IS NULL))
) STRICT;
CREATE INDEX recurring_order_source ON recurring_order (source_id, id);
CREATE INDEX recurring_order_due ON recurring_order (next_due_at) WHERE next_due_at IS NOT NULL;
