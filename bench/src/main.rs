//! The figures of small functions beside those of peers in the same run, and the peers of whole programs.
//!
//! Nothing is asserted: figures depend on the machine.
#![allow(unreachable_pub, reason = "a program")]

mod handshakes;
mod records;
mod timing;
mod turns;
mod wire;

use anyhow::Result;
use clap::{Parser, Subcommand};
use handfast_e2e::bench::Row;

/// Figures of Handfast beside those of peers
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measures the small functions; prints a row of JSON for each comparison
    Rows,
    /// Measures records alone, as `rows`
    Records,
    /// Whether times depend on secrets
    Timing,
    /// Joins sockets in pairs, without crypto
    Forward {
        /// Writes once for all messages that have come
        #[arg(long)]
        batches: bool,
    },
    /// Sends to a forwarder, when the receiver asks
    Send {
        /// Where the forwarder listens
        address: String,
        /// How many bytes in all
        #[arg(long)]
        bytes: usize,
        /// Bytes of a message
        #[arg(long)]
        len: usize,
    },
    /// Asks for what is sent, and says how long it took
    Receive {
        /// Where the forwarder listens
        address: String,
        /// How many bytes in all
        #[arg(long)]
        bytes: usize,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Rows => print(handshakes::rows().into_iter().chain(records::rows())),
        Task::Records => print(records::rows()),
        Task::Timing => {
            timing::compare();
            Ok(())
        }
        Task::Forward { batches } => wire::forward(batches),
        Task::Send { address, bytes, len } => wire::send(&address, bytes, len),
        Task::Receive { address, bytes } => wire::receive(&address, bytes),
    }
}

fn print(rows: impl IntoIterator<Item = Row>) -> Result<()> {
    for row in rows {
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}
