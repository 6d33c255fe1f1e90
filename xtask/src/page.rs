//! `cargo xtask page`: the page as a folder for any web server. It names its relay, confines itself by a policy, and says the
//! hash of each file that it loads; the same sources make the same bytes everywhere.

mod reproduce;
mod serve;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha384};

use crate::pack::{ENGINE, Packed, has_ending, pack};
use crate::{notices, wasm, workspace};

/// The names and hashes of all files, as `sha256sum --check` reads them.
const MANIFEST: &str = "manifest.sha256";

/// What to write, and where.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The relay by which the page links phones: host or host:port, as the relay's --name says it
    #[arg(long, value_name = "NAME", required_unless_present = "reproduce")]
    relay: Option<String>,
    /// A relay of links that were made before, to which the page may still connect; may be repeated
    #[arg(long, value_name = "NAME")]
    old_relay: Vec<String>,
    /// The folder to write; it must be new or empty
    #[arg(long, value_name = "DIR", required_unless_present = "reproduce")]
    out: Option<PathBuf>,
    /// Takes the engine as it was built last, if it was
    #[arg(long)]
    keep_engine: bool,
    /// Builds the page from two clones, at other paths, of other users, at other times, and compares all bytes
    #[arg(long, conflicts_with_all = ["relay", "out"])]
    reproduce: bool,
}

/// Writes the folder and prints its manifest.
///
/// # Errors
/// A name is none, the folder is not empty, or the engine cannot be built.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let (Some(relay), Some(out)) = (&options.relay, &options.out) else {
        return reproduce::run();
    };
    let relays: Vec<&str> = [relay].into_iter().chain(&options.old_relay).map(String::as_str).collect();
    relays.iter().try_for_each(|name| check_name(name))?;
    check_empty(out)?;
    let page = workspace::root().join("reference-web/page");
    if !options.keep_engine || !page.join(ENGINE).is_file() {
        let _ = wasm::run(&wasm::Options::default())?;
    }
    let packed = pack(&page)?;
    ensure!(
        packed.files.iter().any(|(name, _)| name.ends_with(notices::FILE)),
        "the engine was built without {}: run `cargo xtask wasm`",
        notices::FILE
    );
    let files = folder(&packed, &relays)?;
    write(out, &files)?;
    print!("{}", String::from_utf8_lossy(files.get(MANIFEST).map_or(&[][..], Vec::as_slice)));
    println!("\n{} files are in {}.\n\n{}", files.len(), out.display(), serve::words(relay));
    Ok(true)
}

/// A name as the relay takes it. The full rule stands in `spec/qr.md`; what a browser would read as another host is refused.
fn check_name(name: &str) -> Result<()> {
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (name, None),
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match v6 {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain) && host.split('.').all(|label| !label.is_empty()),
    };
    let is_port = port
        .is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port));
    ensure!(
        is_host && is_port && name.len() <= 64,
        "{name:?} is not a relay name: write host or host:port in lower case, as the relay's --name says it"
    );
    Ok(())
}

/// Checks that a folder which the user named is new or empty.
///
/// # Errors
/// It is not, or cannot be read.
pub(crate) fn check_empty(out: &Path) -> Result<()> {
    match std::fs::read_dir(out) {
        Ok(mut entries) => {
            let empty = entries.next().is_none();
            ensure!(empty, "{} is not empty: give a new folder with --out", out.display());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => bail!("{} cannot be used ({error}): give a new folder with --out", out.display()),
    }
    Ok(())
}

fn write(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    for (path, bytes) in files {
        let path = out.join(path);
        let folder = path.parent().context("a file in a folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        std::fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// All files of the folder, by path: a function of the sources and the names alone.
fn folder(page: &Packed, relays: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files: BTreeMap<String, Vec<u8>> =
        page.files.iter().map(|(name, bytes)| (format!("{}/{name}", page.folder), bytes.clone())).collect();
    let relay = relays.first().context("a relay")?;
    let _ = files.insert("handfast.json".to_owned(), format!("{}\n", json!({ "relay": relay })).into_bytes());
    let _ = files.insert("index.html".to_owned(), index(page, &files, relays)?.into_bytes());
    let lines = files.iter().map(|(path, bytes)| format!("{}  {path}\n", hex(&Sha256::digest(bytes))));
    let manifest: String = lines.collect();
    let _ = files.insert(MANIFEST.to_owned(), manifest.into_bytes());
    Ok(files)
}

/// The first file: the page's own, with a policy, and with the hash of everything that it loads as code or style.
fn index(page: &Packed, files: &BTreeMap<String, Vec<u8>>, relays: &[&str]) -> Result<String> {
    let at = format!("/{}", page.folder);
    let hashes: Map<String, Value> = files
        .iter()
        .filter(|(path, _)| has_ending(path, "js"))
        .map(|(path, bytes)| (format!("/{path}"), integrity(bytes).into()))
        .collect();
    let map = json!({ "integrity": hashes }).to_string();
    let mut text = page.index.clone();
    for (before, name) in [("src=\"", "main.js"), ("href=\"", "style.css")] {
        let bytes = files.get(&format!("{}/{name}", page.folder)).with_context(|| format!("no {name}"))?;
        let plain = format!("{before}{{assets}}/{name}\"");
        ensure!(text.contains(&plain), "index.html does not load {name}");
        text = text.replace(&plain, &format!("{plain} integrity=\"{}\"", integrity(bytes)));
    }
    let head = "<meta charset=\"utf-8\">\n";
    ensure!(text.contains(head), "index.html does not begin as it should");
    let policy = policy(relays, &map);
    let first = format!(
        "{head}<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <script type=\"importmap\">{map}</script>\n"
    );
    Ok(text.replacen(head, &first, 1).replace("{assets}", &at))
}

/// What the page may do: load what lies beside it, run its module, speak to its relays. That nobody may frame it stands in a
/// header, as browsers do not take it from here.
fn policy(relays: &[&str], import_map: &str) -> String {
    let sockets: Vec<_> = relays
        .iter()
        .map(|relay| format!("{}://{relay}", if is_loopback(relay) { "ws" } else { "wss" }))
        .collect();
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-{}'; style-src 'self'; img-src 'self' blob:; \
         media-src 'self' blob:; worker-src 'self'; connect-src 'self' {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types handfast",
        base64(&Sha256::digest(import_map)),
        sockets.join(" "),
    )
}

fn is_loopback(relay: &str) -> bool {
    let host = match relay.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => relay,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha384-{}", base64(&Sha384::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let index = usize::try_from((bits >> (18 - 6 * n)) & 63).unwrap_or(0);
            text.push(if n <= chunk.len() { char::from(LETTERS[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of three files, written in the order given.
    fn page(root: &Path, names: &[&str]) -> Packed {
        let index = "<head>\n<meta charset=\"utf-8\">\n<link rel=\"stylesheet\" href=\"{assets}/style.css\">\n\
                     <script type=\"module\" src=\"{assets}/main.js\"></script>\n";
        std::fs::create_dir_all(root.join("views")).unwrap();
        std::fs::write(root.join("index.html"), index).unwrap();
        for name in names {
            std::fs::write(root.join(name), format!("// A comment.\nlet a = \"{name}\";\n")).unwrap();
        }
        pack(root).unwrap()
    }

    #[test]
    fn f2_the_folder_is_the_same_from_other_paths_and_orders() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let names = ["main.js", "style.css", "views/a.js"];
        let first = folder(&page(here.path(), &names), &["relay.example"]).unwrap();
        let deeper = there.path().join("of/another/user");
        let second =
            folder(&page(&deeper, &["views/a.js", "style.css", "main.js"]), &["relay.example"]).unwrap();
        assert_eq!(first, second);
        let all: String = first.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert!(!all.contains(here.path().to_str().unwrap()) && !all.contains("A comment"));
        let other = folder(&page(here.path(), &names), &["relay.example:8443"]).unwrap();
        let differ: Vec<_> = first
            .iter()
            .filter(|(path, bytes)| other.get(*path) != Some(bytes))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(
            differ,
            ["handfast.json", "index.html", "manifest.sha256"],
            "a relay's name is in these alone"
        );
    }

    #[test]
    fn f2_the_page_names_its_relays_and_the_hash_of_each_script() {
        let root = tempfile::tempdir().unwrap();
        let packed = page(root.path(), &["main.js", "style.css", "views/a.js"]);
        let files = folder(&packed, &["relay.example", "127.0.0.1:8787", "[::1]:1"]).unwrap();
        let index = String::from_utf8(files["index.html"].clone()).unwrap();
        assert!(
            index.contains("connect-src 'self' wss://relay.example ws://127.0.0.1:8787 ws://[::1]:1;"),
            "{index}"
        );
        assert!(!index.contains("{assets}") && !index.contains("unsafe-inline"), "{index}");
        assert_eq!(index.matches("integrity=\"sha384-").count(), 2);
        let map = index.split("importmap\">").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap();
        assert!(
            index.contains(&format!("'sha256-{}'", base64(&Sha256::digest(map)))),
            "the map is let in by its hash"
        );
        let map: Value = serde_json::from_str(map).unwrap();
        for name in ["main.js", "views/a.js"] {
            let bytes = &files[&format!("{}/{name}", packed.folder)];
            assert_eq!(map["integrity"][format!("/{}/{name}", packed.folder)], integrity(bytes));
        }
        let home: Value = serde_json::from_slice(&files["handfast.json"]).unwrap();
        assert_eq!(home, json!({ "relay": "relay.example" }));
        let manifest = String::from_utf8(files[MANIFEST].clone()).unwrap();
        assert_eq!(manifest.lines().count(), files.len() - 1, "each file but itself");
    }

    #[test]
    fn names_of_relays_are_checked_before_they_stand_in_a_policy() {
        for name in [
            "relay.example",
            "relay.example:8443",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:443",
            "localhost:65535",
        ] {
            check_name(name).unwrap_or_else(|error| panic!("{error}"));
        }
        for name in [
            "",
            ":1",
            "Relay.example",
            "relay.example:0",
            "relay.example:65536",
            "relay.example:01",
            "relay..example",
            "relay.example; script-src *",
            "a b",
            "wss://relay.example",
            "relay.example/x",
            "[::1",
            "*.example",
            "a\"b",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        check_empty(root.path()).unwrap();
        check_empty(&root.path().join("new/deeper")).unwrap();
        std::fs::write(root.path().join("mine"), "x").unwrap();
        assert!(check_empty(root.path()).unwrap_err().to_string().contains("--out"));
        assert!(check_empty(&root.path().join("mine")).is_err());
    }

    #[test]
    fn base64_is_that_of_its_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }
}
