//! `handfast-relay`: the reference relay as a program.

mod arguments;
mod status;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use reference_relay::server::Server;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use arguments::{Arguments, Settings, Verb};

/// The exit code for a wrong command line or configuration file.
const EXIT_USAGE: u8 = 2;
/// The exit code when the relay could not run.
const EXIT_FAILURE: u8 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (json, verb) = (arguments.json, arguments.verb);
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(message) => return fail(json, &message, EXIT_USAGE),
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let json = settings.json;
    let done = match verb {
        Some(Verb::Status) => show_status(&settings),
        None => run(settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(json, &message, EXIT_FAILURE),
    }
}

fn run(settings: Settings) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start its threads: {error}"))?;
    let served = runtime.block_on(async {
        let signals = |error| format!("cannot wait for signals: {error}");
        let terminate = signal(SignalKind::terminate()).map_err(signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
        // SIGHUP can come from a closed terminal, a rotated log or a renewed certificate, so it must not end
        // the relay.
        let hangup = signal(SignalKind::hangup()).map_err(signals)?;
        let server = Server::bind(settings.server).map_err(|error| error.to_string())?;
        for warning in server.warnings() {
            say(settings.json, "warning", warning);
        }
        announce(&server, settings.json)?;
        let look = Arc::new(Notify::new());
        let forward = tokio::spawn(pass_on(hangup, Arc::clone(&look)));
        let tell = |line: &str| say(settings.json, "certificate", line);
        server.run(stopped(terminate, interrupt), look, tell).await;
        forward.abort();
        Ok(())
    });
    // Connections that have not ended by now are cut off.
    runtime.shutdown_background();
    served
}

async fn stopped(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// At each SIGHUP, makes the server check the certificate's files.
async fn pass_on(mut hangup: Signal, look: Arc<Notify>) {
    while hangup.recv().await.is_some() {
        look.notify_one();
    }
}

fn show_status(settings: &Settings) -> Result<(), String> {
    let Some(address) = settings.server.metrics else {
        return Err("give --metrics ADDRESS:PORT, where the running relay tells its numbers: it was started with the \
                    same option"
            .to_owned());
    };
    let metrics = status::ask(address)?;
    let shown =
        if settings.json { format!("{}\n", status::to_json(&metrics)) } else { status::to_words(&metrics) };
    let mut out = std::io::stdout().lock();
    out.write_all(shown.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to its output: {error}"))
}

/// Prints the addresses on which the relay listens, in one line.
fn announce(server: &Server, json: bool) -> Result<(), String> {
    let (url, name, pid) = (server.url(), server.name(), std::process::id());
    let metrics = server.metrics_address().map(|address| format!("http://{address}/metrics"));
    let line = if json {
        let mut line =
            serde_json::json!({ "event": "listening", "url": url, "name": name.as_str(), "pid": pid });
        if let Some(metrics) = metrics {
            line["metrics"] = metrics.into();
        }
        line.to_string()
    } else {
        let metrics = metrics.map_or_else(String::new, |metrics| format!(" metrics {metrics}"));
        format!("listening on {url} name {name} pid {pid}{metrics}")
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to its output: {error}"))
}

/// Prints one line to standard error for the operator; standard output is for programs.
fn say(json: bool, event: &str, message: &str) {
    let line = if json {
        serde_json::json!({ "event": event, "message": message }).to_string()
    } else {
        format!("handfast-relay: {event}: {message}")
    };
    // If standard error is closed, nobody wants to read the line.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints an error in one line, and returns the exit code.
fn fail(json: bool, message: &str, code: u8) -> ExitCode {
    let line = if json {
        serde_json::json!({ "event": "error", "message": message, "exit": code }).to_string()
    } else {
        format!("handfast-relay: {message}")
    };
    // If the line cannot be written, the exit code still reports the error.
    let _ = writeln!(std::io::stderr(), "{line}");
    ExitCode::from(code)
}
