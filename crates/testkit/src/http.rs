//! A real server on a free port of this machine, and a client for it.
