-- What somebody did, in order.
CREATE INDEX action_actor ON action (actor, id);
-- Where a certificate was issued. A device's certificates are numbered as they are issued, so of what was issued the first
-- range that ends at a number or behind it is the one that holds it. Parts that were split off are found below that.
CREATE INDEX bundle_issued ON bundle (device_id, range_last) WHERE parent_id IS NULL;
