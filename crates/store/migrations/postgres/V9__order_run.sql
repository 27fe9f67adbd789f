-- What became of each due time of a recurring order, written with the action of the run. refusal, detail: why nothing was
-- done. energy_wh: how much was acted on.
CREATE TABLE order_run (
    order_id BIGINT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    ran_at TIMESTAMPTZ NOT NULL,
    action_id BIGINT NOT NULL,
    energy_wh BIGINT CHECK (energy_wh > 0),
    refusal TEXT,
    detail TEXT,
    PRIMARY KEY (order_id, due_at),
    CHECK ((energy_wh IS NULL) = (refusal IS NOT NULL)),
    CHECK ((refusal IS NULL) = (detail IS NULL))
);
