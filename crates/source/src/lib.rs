//! Where meter readings come from that nobody submits: services that are asked over the network.
//!
//! An answer is read as a whole or refused as a whole, before anything of it is handed on; what is wrong with one record is
//! told with its unit and its half-hour, and the records around it stand. Nothing here knows devices, accounts or the ledger,
//! decides what becomes of a value, or tells the time: who asks gives it. All waiting is an argument, so that tests do none.

mod cache;
pub mod elexon;
mod fetch;
pub mod settlement;
mod wait;

pub use fetch::{Fault, Settings};
pub use wait::Wait;
