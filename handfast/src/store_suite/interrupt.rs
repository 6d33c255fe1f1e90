//! Injected faults for a SQLite connection.

extern crate std;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::harness::Fault;

/// Makes SQLite fail at an instruction of its virtual machine or at a commit; `None` removes the fault.
///
/// When a writing statement is interrupted, SQLite rolls back the whole transaction itself, so a `ROLLBACK`
/// of the program then finds no transaction. With [`Fault::From`] that `ROLLBACK` is interrupted too.
///
/// # Panics
///
/// If SQLite accepts no hooks.
pub fn interrupt(conn: &mut Connection, fault: Option<Fault>) {
    let calls = Arc::new(AtomicU64::new(0));
    let fails = move || {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        match fault {
            None => false,
            Some(Fault::Once(nth)) => call == nth,
            Some(Fault::From(nth)) => call >= nth,
        }
    };
    let is_on = fault.is_some();
    conn.progress_handler(1, is_on.then(|| fails.clone())).expect("SQLite takes a progress handler");
    conn.commit_hook(is_on.then_some(fails)).expect("SQLite takes a commit hook");
}
