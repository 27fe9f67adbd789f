//! For tests only: registries on databases of their own, and people and devices to put into them.
//!
//! [`TestRegistry`] is a registry without HTTP; [`http`] puts a real server in front of one. Time stands still until a
//! test moves it. There are no mocks: a temporary SQLite file is the fake, and PostgreSQL is the real one.

pub mod audit;
pub mod elexon;
pub mod held;
pub mod http;
pub mod model;
pub mod proxy;
pub mod registry;
pub mod standby;
pub mod stream;
mod until;

pub use audit::assert_verified;
pub use db::testing::{Engine, TestDatabase};
pub use registry::{ENGINES, TestClock, TestRegistry, at, device_description, hours_from, metadata_description};
pub use until::until;
