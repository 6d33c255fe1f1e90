//! The command line, and the configuration file with the same names.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use handfast_codec::RelayName;
use reference_relay::server::{ServerConfig, TlsFiles};
use serde::Deserialize;

/// Where it listens if nothing is said.
const LISTEN: &str = "127.0.0.1:8787";

/// Runs a Handfast relay: it passes sealed frames between phones and their companions.
#[derive(Debug, Parser)]
#[command(name = "handfast-relay", version)]
pub(crate) struct Arguments {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The relay's name, as QR codes carry it: host or host:port in lower case [default: the address it listens on]
    #[arg(long, value_name = "HOST[:PORT]")]
    name: Option<String>,
    /// PEM file with the certificate chain; with it the relay speaks wss
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// An origin, besides the relay's own, whose pages may connect, as <https://app.example>; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// JSON file with the same names ("listen", "name", "tls-cert", ..); the command line goes before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Speak JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// What to do besides running.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Says how the relay does that runs at the address of --listen: memory, tasks, sockets, queues, counts
    Status,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    listen: Option<String>,
    name: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    #[serde(default)]
    allow_origin: Vec<String>,
    #[serde(default)]
    json: bool,
}

/// What both say together.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server: ServerConfig,
    pub(crate) json: bool,
}

impl Arguments {
    /// Checks everything that can be checked before the relay starts; the error says what to do.
    pub(crate) fn settings(self) -> Result<Settings, String> {
        let file = self.config.as_deref().map(read_config).transpose()?.unwrap_or_default();
        let listen = self.listen.or(file.listen).unwrap_or_else(|| LISTEN.to_owned());
        let listen: SocketAddr = listen.parse().map_err(|_| {
            format!("{listen:?} is not an address with a port: write --listen 127.0.0.1:8787 or --listen [::1]:8787")
        })?;
        let mut server = ServerConfig::new(listen);
        if let Some(name) = self.name.or(file.name) {
            let parsed = RelayName::parse(&name).map_err(|_| {
                format!("{name:?} is not a relay name: write host or host:port in lower case, at most 64 characters")
            })?;
            server.name = Some(parsed);
        }
        server.tls = match (self.tls_cert.or(file.tls_cert), self.tls_key.or(file.tls_key)) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("a certificate needs its key: give both --tls-cert and --tls-key".to_owned());
            }
        };
        server.allow_origins = self.allow_origin;
        server.allow_origins.extend(file.allow_origin);
        if let Some(origin) = server.allow_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(format!(
                "{origin:?} is not an origin: write scheme and host as a browser sends them, like https://app.example"
            ));
        }
        Ok(Settings { server, json: self.json || file.json })
    }
}

fn read_config(path: &Path) -> Result<ConfigFile, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("cannot read {shown} ({}): give a readable file with --config", error.kind())
    })?;
    serde_json::from_str(&text).map_err(|error| format!("{shown} is not a configuration: {error}"))
}

/// Whether a browser could send it: a scheme, a host, perhaps a port, no path.
fn is_origin(text: &str) -> bool {
    let Some(name) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    RelayName::parse(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(line: &str) -> Result<Settings, String> {
        let words = std::iter::once("handfast-relay").chain(line.split_whitespace());
        Arguments::try_parse_from(words).map_err(|error| error.kind().to_string())?.settings()
    }

    #[test]
    fn nothing_said_is_loopback_without_tls() {
        let settings = settings("").expect("valid");
        assert_eq!(settings.server.listen.to_string(), LISTEN);
        assert_eq!((settings.server.name, settings.server.tls, settings.json), (None, None, false));
    }

    #[test]
    fn everything_can_be_said() {
        let line = "--listen [::1]:0 --name relay.example --tls-cert a --tls-key b --json \
                    --allow-origin https://a.example --allow-origin http://b.example:81";
        let settings = settings(line).expect("valid");
        assert_eq!(settings.server.listen.to_string(), "[::1]:0");
        assert_eq!(settings.server.name.as_ref().map(RelayName::as_str), Some("relay.example"));
        assert_eq!(settings.server.allow_origins, ["https://a.example", "http://b.example:81"]);
        assert!(settings.json && settings.server.tls.is_some());
    }

    #[test]
    fn what_is_malformed_is_refused_with_what_to_do() {
        for (line, part) in [
            ("--listen 8787", "write --listen"),
            ("--listen localhost:8787", "write --listen"),
            ("--name UPPER", "lower case"),
            ("--allow-origin app.example", "like https://"),
            ("--allow-origin https://app.example/", "like https://"),
            ("--config /nowhere/at.all", "--config"),
            ("--tls-cert a", "required"),
            ("--nonsense", "unexpected"),
        ] {
            let message = settings(line).expect_err(line);
            assert!(message.contains(part) && !message.contains('\n'), "{line}: {message}");
        }
    }

    #[test]
    fn the_file_has_the_same_names_and_the_command_line_goes_before_it() {
        let file: ConfigFile = serde_json::from_str(
            r#"{"listen": "127.0.0.1:1", "name": "a.example", "allow-origin": ["https://b.example"], "json": true}"#,
        )
        .expect("valid");
        assert_eq!((file.listen.as_deref(), file.json), (Some("127.0.0.1:1"), true));
        let unknown = serde_json::from_str::<ConfigFile>(r#"{"listen-on": 1}"#).expect_err("unknown");
        assert!(unknown.to_string().contains("unknown field"));
    }
}
