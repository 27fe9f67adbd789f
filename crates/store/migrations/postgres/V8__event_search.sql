-- What somebody did, in order.
CREATE INDEX action_actor ON action (actor, id);
