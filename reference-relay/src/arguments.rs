//! The command line, and the configuration file, whose names are the same.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use handfast_codec::RelayName;
use reference_relay::core::limits::{BYTES_PER_HOUR_MIN, SOCKETS_PER_ADDRESS_MIN};
use reference_relay::server::{Cidr, PageSource, ProxyHeader, ServerConfig, TlsFiles};
use serde::Deserialize;

/// The address to listen on by default.
const LISTEN: &str = "127.0.0.1:8787";

/// Runs a Handfast relay: it passes sealed frames between phones and their companions.
#[derive(Debug, Parser)]
#[command(name = "handfast-relay", version)]
pub(crate) struct Arguments {
    /// Address and port to listen on; port 0 selects a free port [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The relay's name in QR codes: host or host:port, in lower case [default: the address it listens on]
    #[arg(long, value_name = "HOST[:PORT]")]
    name: Option<String>,
    /// PEM file with the certificate chain; the relay then speaks wss
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// An origin whose pages may connect, such as <https://app.example>, besides the relay's own while it
    /// serves a page; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// The page to serve at /: none, embedded (the one of this build), or a folder written by `cargo xtask
    /// page` [default: none]
    #[arg(long, value_name = "none|embedded|DIR")]
    page: Option<String>,
    /// A proxy in front of the relay that is trusted to report clients' addresses, as an address or a block
    /// such as 10.0.0.0/8; may be repeated
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,
    /// The header in which trusted proxies report a client's address: x-forwarded-for or forwarded [default:
    /// x-forwarded-for]
    #[arg(long, value_name = "NAME")]
    proxy_header: Option<String>,
    /// Maximum number of WebSockets from one address; an IPv6 /64 counts as one address [default: 256]
    #[arg(long, value_name = "N")]
    sockets_per_address: Option<usize>,
    /// Maximum number of WebSockets in total [default: 16384]
    #[arg(long, value_name = "N")]
    sockets: Option<usize>,
    /// Maximum number of pairing codes from one address that wait for their phones [default: 256]
    #[arg(long, value_name = "N")]
    pairings_per_address: Option<usize>,
    /// Number of bytes that one address may send through the relay in an hour before it is slowed down; 0 for
    /// no limit [default: 17179869184]
    #[arg(long, value_name = "N")]
    bytes_per_hour: Option<u64>,
    /// Address and port that serve the metrics over plain HTTP; without it, they are not served
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<String>,
    /// JSON file with the same option names ("listen", "name", "tls-cert", ..); the command line overrides it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// A subcommand. Without one, the relay runs.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Shows the state of the relay that serves its metrics at the address of --metrics: memory, tasks,
    /// sockets, queues, counts
    Status,
}

/// The contents of the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    listen: Option<String>,
    name: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    #[serde(default)]
    allow_origin: Vec<String>,
    page: Option<String>,
    #[serde(default)]
    trusted_proxy: Vec<String>,
    proxy_header: Option<String>,
    sockets_per_address: Option<usize>,
    sockets: Option<usize>,
    pairings_per_address: Option<usize>,
    bytes_per_hour: Option<u64>,
    metrics: Option<String>,
    #[serde(default)]
    json: bool,
}

/// The settings from the command line and the configuration file together.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server: ServerConfig,
    pub(crate) json: bool,
}

impl Arguments {
    /// Checks everything that can be checked before the relay starts. The error says what to do.
    pub(crate) fn settings(self) -> Result<Settings, String> {
        let file = self.config.as_deref().map(read_config).transpose()?.unwrap_or_default();
        let listen = address("--listen", self.listen.or(file.listen).as_deref().unwrap_or(LISTEN))?;
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
        server.page = match self.page.or(file.page).as_deref() {
            None | Some("none") => PageSource::None,
            Some("embedded") => PageSource::Embedded,
            Some(folder) => PageSource::Folder(PathBuf::from(folder)),
        };
        server.metrics =
            self.metrics.or(file.metrics).map(|metrics| address("--metrics", &metrics)).transpose()?;
        server.proxies.trusted = self
            .trusted_proxy
            .into_iter()
            .chain(file.trusted_proxy)
            .map(|block| block.parse::<Cidr>().map_err(|error| format!("--trusted-proxy: {error}")))
            .collect::<Result<_, _>>()?;
        server.proxies.header = match self.proxy_header.or(file.proxy_header) {
            None => ProxyHeader::default(),
            Some(name) => header(&name)?,
        };
        let caps = Caps {
            sockets_per_address: self.sockets_per_address.or(file.sockets_per_address),
            sockets: self.sockets.or(file.sockets),
            pairings_per_address: self.pairings_per_address.or(file.pairings_per_address),
            bytes_per_hour: self.bytes_per_hour.or(file.bytes_per_hour),
        };
        caps.apply(&mut server)?;
        Ok(Settings { server, json: self.json || file.json })
    }
}

fn address(option: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not an address with a port: write {option} 127.0.0.1:8787 or {option} [::1]:8787"
        )
    })
}

fn header(name: &str) -> Result<ProxyHeader, String> {
    match name.to_ascii_lowercase().as_str() {
        "x-forwarded-for" => Ok(ProxyHeader::XForwardedFor),
        "forwarded" => Ok(ProxyHeader::Forwarded),
        _ => Err(format!(
            "{name:?} is no header of proxies: write --proxy-header x-forwarded-for or forwarded"
        )),
    }
}

/// The limits that an operator may choose.
#[derive(Debug)]
struct Caps {
    sockets_per_address: Option<usize>,
    sockets: Option<usize>,
    pairings_per_address: Option<usize>,
    bytes_per_hour: Option<u64>,
}

impl Caps {
    fn apply(self, server: &mut ServerConfig) -> Result<(), String> {
        let (relay, around) = (&mut server.relay_limits, &mut server.server_limits);
        if let Some(sockets) = self.sockets {
            if sockets == 0 {
                return Err("--sockets 0 serves nobody: give a number from 1".to_owned());
            }
            relay.sockets_max = sockets;
            // Some connections are not WebSockets yet, or no longer.
            around.connections_max = sockets.saturating_add(sockets / 8).saturating_add(16);
            relay.sockets_reserved = relay.sockets_reserved.min(sockets / 8);
        }
        if let Some(sockets) = self.sockets_per_address {
            if sockets < SOCKETS_PER_ADDRESS_MIN {
                return Err(format!(
                    "--sockets-per-address {sockets} is too few for a household: give {SOCKETS_PER_ADDRESS_MIN} or more"
                ));
            }
            relay.sockets_per_address_max = sockets;
            around.connections_per_address_max = sockets.saturating_mul(2);
        }
        if let Some(pairings) = self.pairings_per_address {
            if pairings == 0 {
                return Err("--pairings-per-address 0 lets nobody link: give a number from 1".to_owned());
            }
            relay.pairing_mailboxes_per_address_max = pairings;
        }
        if let Some(bytes) = self.bytes_per_hour {
            if bytes != 0 && bytes < BYTES_PER_HOUR_MIN {
                return Err(format!(
                    "--bytes-per-hour {bytes} is so few that connections would time out: give {BYTES_PER_HOUR_MIN} or \
                     more, or 0 for any number"
                ));
            }
            relay.bytes_per_hour = NonZeroU64::new(bytes);
        }
        Ok(())
    }
}

fn read_config(path: &Path) -> Result<ConfigFile, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("cannot read {shown} ({}): give a readable file with --config", error.kind())
    })?;
    serde_json::from_str(&text).map_err(|error| format!("{shown} is not a configuration: {error}"))
}

/// Returns whether a browser could send this origin: a scheme, a host, perhaps a port, no path.
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
    fn a_page_is_served_only_when_asked_for() {
        for (line, expected) in [
            ("", PageSource::None),
            ("--page none", PageSource::None),
            ("--page embedded", PageSource::Embedded),
            ("--page ./none", PageSource::Folder("./none".into())),
            ("--page /srv/page", PageSource::Folder("/srv/page".into())),
        ] {
            assert_eq!(settings(line).expect("valid").server.page, expected, "{line}");
        }
    }

    #[test]
    fn caps_are_options() {
        let line = "--sockets 1000 --sockets-per-address 64 --pairings-per-address 1 --bytes-per-hour 16777216 \
                    --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1 --proxy-header Forwarded --metrics 127.0.0.1:9100";
        let server = settings(line).expect("valid").server;
        let relay = &server.relay_limits;
        assert_eq!(
            (relay.sockets_max, relay.sockets_per_address_max, relay.sockets_reserved),
            (1_000, 64, 125)
        );
        assert_eq!(
            (relay.pairing_mailboxes_per_address_max, relay.bytes_per_hour),
            (1, NonZeroU64::new(16_777_216))
        );
        assert_eq!(server.server_limits.connections_per_address_max, 128);
        assert!(server.server_limits.connections_max > 1_000);
        assert_eq!((server.proxies.trusted.len(), server.proxies.header), (2, ProxyHeader::Forwarded));
        assert_eq!(server.metrics, Some(([127, 0, 0, 1], 9_100).into()));
        let unbounded = settings("--bytes-per-hour 0").expect("valid").server;
        assert_eq!(unbounded.relay_limits.bytes_per_hour, None);
    }

    #[test]
    fn what_is_malformed_is_refused_with_what_to_do() {
        for (line, part) in [
            ("--listen 8787", "write --listen"),
            ("--listen localhost:8787", "write --listen"),
            ("--name UPPER", "lower case"),
            ("--allow-origin app.example", "like https://"),
            ("--allow-origin https://app.example/", "like https://"),
            ("--trusted-proxy proxy.example", "like 10.0.0.0/8"),
            ("--trusted-proxy 10.0.0.1/8", "write 10.0.0.0/8"),
            ("--trusted-proxy 0.0.0.0/0", "every address"),
            ("--proxy-header x-real-ip", "x-forwarded-for or forwarded"),
            ("--metrics 9100", "write --metrics"),
            ("--sockets 0", "from 1"),
            ("--sockets-per-address 63", "64 or more"),
            ("--pairings-per-address 0", "from 1"),
            ("--bytes-per-hour 16777215", "16777216 or more"),
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
