//! A registry that does by itself what is due, until it is killed: `timed DATABASE_URL NOW`. For the tests of sudden ends only.
//!
//! Its clock stands at NOW. It ends by itself when nobody holds its standard input any more.

use app::Registry;
use std::io::Read as _;
use testkit::{TestClock, TestRegistry, at};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, now] = arguments.as_slice() else { panic!("usage: timed DATABASE_URL NOW") };
    let settings = TestRegistry::settings_at(&url.parse().expect("a database URL"));
    let registry = Registry::open(settings, TestClock::at(at(now)).clock()).expect("the database opens");
    registry.start_timed().expect("a thread");
    let _: std::io::Result<usize> = std::io::stdin().read(&mut [0]);
    registry.close();
}
