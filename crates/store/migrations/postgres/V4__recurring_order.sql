-- What is to be transferred or cancelled again and again. kind: 1 transfer, 2 cancel. state: 1 active, 2 paused, 3 ended.
-- share is in steps of 10^-18. An order that has not ended says when it is due next.
ALTER TABLE ledger_head ADD COLUMN next_recurring_order BIGINT NOT NULL DEFAULT 1;

CREATE TABLE recurring_order (
    id BIGINT PRIMARY KEY,
    kind SMALLINT NOT NULL CHECK (kind BETWEEN 1 AND 2),
    source_id BIGINT NOT NULL REFERENCES account (id),
    target_id BIGINT,
    beneficiary TEXT,
    beneficiary_account_id BIGINT,
    purpose TEXT,
    first_at TIMESTAMPTZ NOT NULL,
    period_unit SMALLINT NOT NULL CHECK (period_unit BETWEEN 1 AND 4),
    period_quantity BIGINT NOT NULL CHECK (period_quantity >= 1),
    runs BIGINT CHECK (runs >= 1),
    device_id BIGINT,
    energy_source SMALLINT,
    quantity BIGINT CHECK (quantity >= 1),
    share BIGINT CHECK (share >= 1),
    ordered_by BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    state SMALLINT NOT NULL CHECK (state BETWEEN 1 AND 3),
    next_due_at TIMESTAMPTZ,
    runs_done BIGINT NOT NULL CHECK (runs_done >= 0),
    CHECK ((state = 3) = (next_due_at IS NULL))
);
CREATE INDEX recurring_order_source ON recurring_order (source_id, id);
CREATE INDEX recurring_order_due ON recurring_order (next_due_at) WHERE next_due_at IS NOT NULL;
