//! The TLS certificate. Its files are read at the start, and again when they change or when somebody asks, so
//! that a renewed certificate is used without a restart.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use handfast_codec::RelayName;
use rustls::ServerConfig as TlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::{ServerError, TlsFiles};

/// The interval at which the certificate's files are checked.
pub(super) const LOOK_EVERY: Duration = Duration::from_mins(1);
/// The longest PEM file that is read, in bytes.
const FILE_LEN_MAX: u64 = 1_048_576;

/// The certificate and key in use, and the files that they come from.
#[derive(Debug)]
pub(super) struct Certificates {
    files: TlsFiles,
    name: RelayName,
    used: Mutex<Used>,
}

struct Used {
    config: Arc<TlsConfig>,
    /// The hash of both files when they were last read, whether they were usable or not.
    seen: [u8; 32],
    /// Whether the files could not be read at the last check.
    unreadable: bool,
}

impl std::fmt::Debug for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Used").finish_non_exhaustive()
    }
}

/// The result of checking the certificate's files again.
#[derive(Debug)]
pub(super) enum Look {
    /// The files are the same as those in use.
    Same,
    /// A new certificate is in use, with warnings about it.
    Renewed(Vec<String>),
    /// The files cannot be used, so the old certificate stays in use. This is returned only once for the same
    /// files.
    Kept(ServerError),
}

impl Certificates {
    /// Reads the certificate and its key. Also returns warnings about them.
    pub(super) fn load(files: TlsFiles, name: RelayName) -> Result<(Self, Vec<String>), ServerError> {
        let read = Files::read(&files)?;
        let (config, leaf) = read.config(&files)?;
        let warnings = warnings(&leaf, &name, now());
        let used = Mutex::new(Used { config, seen: read.hash(), unreadable: false });
        Ok((Self { files, name, used }, warnings))
    }

    /// Returns the TLS acceptor for the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&used.config))
    }

    /// Reads the certificate and key files again, and uses them if they changed. Blocks the thread until it
    /// is done.
    pub(super) fn look(&self) -> Look {
        let read = Files::read(&self.files);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let was_unreadable = std::mem::replace(&mut used.unreadable, read.is_err());
        let read = match read {
            Ok(read) => read,
            Err(_) if was_unreadable => return Look::Same,
            Err(error) => return Look::Kept(error),
        };
        if used.seen == read.hash() {
            return Look::Same;
        }
        used.seen = read.hash();
        match read.config(&self.files) {
            Ok((config, leaf)) => {
                used.config = config;
                drop(used);
                Look::Renewed(warnings(&leaf, &self.name, now()))
            }
            Err(error) => Look::Kept(error),
        }
    }
}

/// The contents of the certificate file and the key file.
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(files: &TlsFiles) -> Result<Self, ServerError> {
        Ok(Self {
            cert: read(&files.cert, "give a readable PEM file with --tls-cert")?,
            key: read(&files.key, "give a readable PEM file with a private key with --tls-key")?,
        })
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(&self.cert));
        hash.update(Sha256::digest(&self.key));
        hash.finalize().into()
    }

    /// Returns the TLS configuration with the certificate and key, and the first certificate.
    fn config(&self, files: &TlsFiles) -> Result<(Arc<TlsConfig>, CertificateDer<'static>), ServerError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<_, _>>()
            .map_err(|_| bad(&files.cert, "give a readable PEM file with --tls-cert"))?;
        let Some(leaf) = chain.first().cloned() else {
            return Err(bad(&files.cert, "it holds no certificate: give a PEM file with --tls-cert"));
        };
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| bad(&files.key, "give a readable PEM file with a private key with --tls-key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = TlsConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| bad(&files.cert, "this build offers no TLS"))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|_| {
                bad(&files.cert, "certificate and key do not belong together, or are of an unknown kind")
            })?;
        Ok((Arc::new(config), leaf))
    }
}

fn bad(file: &Path, what: &'static str) -> ServerError {
    ServerError::Tls { file: file.to_owned(), what }
}

/// Reads a whole regular file. A pipe or device is never opened, because reading it may never end.
fn read(file: &Path, what: &'static str) -> Result<Vec<u8>, ServerError> {
    let usable = fs::metadata(file).is_ok_and(|data| data.is_file() && data.len() <= FILE_LEN_MAX);
    if !usable {
        return Err(bad(file, what));
    }
    fs::read(file).map_err(|_| bad(file, what))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns warnings about what clients will reject in a certificate: its name or its dates. The relay uses
/// the certificate all the same, because a proxy in front of it may not check that.
fn warnings(leaf: &CertificateDer<'_>, name: &RelayName, now: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    let host = name.host().trim_start_matches('[').trim_end_matches(']');
    let fits = rustls::server::ParsedCertificate::try_from(leaf).is_ok_and(|parsed| {
        ServerName::try_from(host)
            .is_ok_and(|host| rustls::client::verify_server_name(&parsed, &host).is_ok())
    });
    if !fits {
        warnings.push(format!(
            "the certificate is not for {host}: clients will refuse it; get one for that name"
        ));
    }
    match validity(leaf) {
        Some((_, until)) if until < now => {
            let days = (now - until) / 86_400;
            warnings
                .push(format!("the certificate expired {days} days ago: clients will refuse it; renew it"));
        }
        Some((from, _)) if from > now => {
            warnings.push("the certificate is not valid yet: look at this machine's clock".to_owned());
        }
        Some(_) => {}
        None => warnings.push("the certificate's dates cannot be read".to_owned()),
    }
    warnings
}

/// Returns the start and the end of a certificate's validity, in seconds since 1970.
fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (SEQUENCE, outer, _) = element(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = element(outer)? else { return None };
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Skips the serial number, the signature's algorithm and the issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, times, _) = element(rest)? else { return None };
    let (from, begins, rest) = element(times)?;
    let (until, ends, _) = element(rest)?;
    Some((seconds(from, begins)?, seconds(until, ends)?))
}

/// Returns tag and content of the first DER element, and the bytes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(d, _)| d.len() <= 4)?;
        (digits.iter().fold(0, |len, digit| (len << 8) | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// Converts a `UTCTime` or `GeneralizedTime` to seconds since 1970. A time before 1970 becomes 0.
fn seconds(tag: u8, text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i64>().ok();
    let (year, at) = match (tag, digits.len()) {
        (0x17, 12) => (number(0..2).map(|year| if year < 50 { 2_000 + year } else { 1_900 + year })?, 2),
        (0x18, 14) => (number(0..4)?, 4),
        _ => return None,
    };
    let part = |n: usize| number(at + 2 * n..at + 2 * n + 2);
    let (month, day) = (part(0)?, part(1)?);
    // The days since 1970 are counted in years that begin in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let time = days * 86_400 + part(2)? * 3_600 + part(3)? * 60 + part(4)?;
    Some(u64::try_from(time).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(seconds(0x17, b"700101000000Z"), Some(0));
        assert_eq!(seconds(0x17, b"000229000000Z"), Some(951_782_400));
        assert_eq!(seconds(0x17, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(0x17, b"500101000000Z"), Some(0), "1950");
        assert_eq!(seconds(0x18, b"20500101000000Z"), Some(2_524_608_000));
        assert_eq!(seconds(0x18, b"99991231235959Z"), Some(253_402_300_799));
        for (tag, text) in [
            (0x17, &b"700101000000"[..]),
            (0x17, b"7001010000Z"),
            (0x18, b"700101000000Z"),
            (0x17, b"70010100000+Z"),
            (0x02, b"700101000000Z"),
            (0x17, b"\xff\xff"),
        ] {
            assert_eq!(seconds(tag, text), None, "{text:?}");
        }
    }

    #[test]
    fn a_certificate_cut_anywhere_has_no_dates() {
        let pem =
            fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/relay.test.pem")).expect("read");
        let leaf = CertificateDer::from_pem_slice(&pem).expect("a certificate");
        let (from, until) = validity(&leaf).expect("dates");
        assert!(from < until, "{from} {until}");
        for len in 0..leaf.len() {
            assert_eq!(validity(&leaf[..len]), None, "{len}");
        }
        let name = RelayName::parse("relay.test").expect("a name");
        assert_eq!(warnings(&leaf, &name, from), [""; 0]);
        let told = |name: &str, now| warnings(&leaf, &RelayName::parse(name).expect("a name"), now).join(" ");
        assert!(told("relay.test:443", until + 86_400).contains("expired 1 days ago"));
        assert!(told("relay.test", from - 1).contains("not valid yet"));
        for other in ["relay.example", "sub.relay.test", "192.0.2.1:1", "[2001:db8::1]"] {
            assert!(told(other, from).contains("not for"), "{other}");
        }
    }
}
