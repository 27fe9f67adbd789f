-- The other account that an action concerns: the target of a transfer, the beneficiary's of a cancellation or a claim.
ALTER TABLE action ADD COLUMN other_account_id INTEGER;
DROP TRIGGER action_update;
UPDATE action SET other_account_id = request ->> 'target_id' WHERE kind = 10;
UPDATE action SET other_account_id = request ->> 'beneficiary_account_id' WHERE kind = 11;
CREATE TRIGGER action_update BEFORE UPDATE ON action BEGIN SELECT RAISE(ABORT, 'actions are append-only'); END;
CREATE INDEX action_other_account ON action (other_account_id, id) WHERE other_account_id IS NOT NULL;

-- Actions that a rule refused: for 90 days, outside the log. AUTOINCREMENT, so that no id is ever used twice.
-- account_id: whose users may read it; none where the actor did not act as one of them.
CREATE TABLE rejected_action (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    account_id INTEGER,
    requested_at INTEGER NOT NULL,
    rejected_at INTEGER NOT NULL,
    request TEXT NOT NULL,
    refusal TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX rejected_action_user ON rejected_action (user_id, id);
CREATE INDEX rejected_action_account ON rejected_action (account_id, id);
CREATE INDEX rejected_action_time ON rejected_action (rejected_at);
