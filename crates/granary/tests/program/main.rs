//! The built program, run as its users run it: with settings, files, pipes and signals, on databases of its own.

mod accounts;
mod data;
mod demo;
mod elexon;
mod inspection;
mod log_level;
mod run;
mod seed;
mod serve;
mod settings;
