//! The writer when things go wrong: contention, refusals, panics, database errors, lost connections, a full queue, the
//! end of the process. On both engines where both can fail that way.

#[path = "writer/connections.rs"]
mod connections;
#[path = "writer/contention.rs"]
mod contention;
#[path = "writer/expiry.rs"]
mod expiry;
#[path = "writer/faults.rs"]
mod faults;
#[path = "writer/idempotency.rs"]
mod idempotency;
#[path = "writer/jobs.rs"]
mod jobs;
#[path = "writer/market.rs"]
mod market;
#[path = "writer/orders.rs"]
mod orders;
#[path = "writer/queue.rs"]
mod queue;
#[path = "writer/rejected.rs"]
mod rejected;
