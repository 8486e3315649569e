//! A cluster on demand, and the suites that run against any target.
