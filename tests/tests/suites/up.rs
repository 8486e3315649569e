//! `keelson up`, as a person starts and stops it.

mod docker;
mod refusals;
mod restarts;
