//! Prints memory of an idle session and of a large transfer, and round trips of a resume. Nothing is asserted: figures
//! depend on the machine.
//!
//! Memory is what the allocator handed out and has not got back, so the time figures are those of a counting allocator.
#![allow(unreachable_pub, reason = "a program")]

mod pair;

use std::time::Instant;

use handfast_codec::frame::OpenKind;
use pair::Pair;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const LINKS: u64 = 50;
const TRANSFER_LEN: u64 = 1 << 30;

fn main() {
    idle();
    resume();
    transfer();
}

/// What a session holds that is live and has nothing to do.
fn idle() {
    let rows: Vec<_> = (0..LINKS).map(pair::linked_rows).collect();
    let before = ALLOCATOR.current_usage();
    let mut pairs: Vec<Pair> = rows.into_iter().map(Pair::new).collect();
    for pair in &mut pairs {
        pair.connect();
        pair.rest();
    }
    let held = ALLOCATOR.current_usage().saturating_sub(before) as u64 / (2 * LINKS) - pair::SIDE_LEN;
    println!("idle session: {held} bytes ({} endpoints, live, drained)", 2 * LINKS);
}

fn resume() {
    let mut pair = Pair::new(pair::linked_rows(7));
    pair.connect();
    pair.rest();
    pair.cut();
    let flights = pair.flights_until_first_record();
    println!("resume: {flights} one-way flights after the attach, then the web's first record leaves");
}

/// A put of 1 GiB from web to phone, with the rekey on its way.
fn transfer() {
    let mut pair = Pair::new(pair::linked_rows(9));
    pair.connect();
    pair.rest();
    let before = ALLOCATOR.current_usage();
    let start = Instant::now();
    let mut most = 0;
    pair.open(OpenKind::Put, TRANSFER_LEN);
    while !pair.is_over() {
        pair.step();
        let held = ALLOCATOR.current_usage().saturating_sub(before).saturating_sub(pair.on_the_wire());
        most = most.max(held);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "1 GiB: both endpoints together held {most} bytes at most beyond what lay in the sockets ({} at most), \
         {:.0} MiB/s, {} handshakes",
        pair.wire_most(),
        1024.0 / seconds,
        pair.handshakes(),
    );
}
