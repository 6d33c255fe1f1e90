//! The page of the reference companion, if the relay serves it: embedded when the relay was built, or from a
//! folder that `cargo xtask page` made.
//!
//! Its headers use everything that browsers offer to confine a page: nothing from other origins, no inline
//! code, no strings that become code, no frames around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use handfast_codec::RelayName;

use super::ServerError;

/// The page to serve, if any. Users must trust whoever serves them a page; a relay that serves none they need
/// not trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageSource {
    /// No page: `/` explains what this server is.
    #[default]
    None,
    /// The page that was embedded when the relay was built.
    Embedded,
    /// The files of a folder that `cargo xtask page` made.
    Folder(PathBuf),
}

/// A file of the page, embedded into this program, plain and compressed.
#[derive(Debug)]
struct Embedded {
    path: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

/// The embedded page; `None` if the page's WebAssembly module was not built before the relay.
static BUILT: Option<&[Embedded]> = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// A file of the page with its media type, plain and compressed.
#[derive(Debug)]
struct Asset {
    kind: &'static str,
    plain: Bytes,
    gzip: Bytes,
}

/// The files to serve, by their path without the first slash.
#[derive(Debug)]
pub(super) struct Page {
    files: BTreeMap<String, Asset>,
    /// The content security policy of the page's first file.
    policy: HeaderValue,
}

/// The page's first file, and the file from which the page learns its relay's name.
const INDEX: &str = "index.html";
const HOME: &str = "handfast.json";
/// The service worker. Its scope must be the whole page, although the file is in a subfolder.
const MEDIA_WORKER: &str = "/media_worker.js";
/// The folder of files whose paths change with their content, so that browsers may cache them forever.
const LASTING: &str = "assets/";
/// The most files that a folder may contain, and the most bytes of all of them.
const FILES_MAX: usize = 1_000;
const FOLDER_LEN_MAX: u64 = 67_108_864;

/// The answer for `/` if no page is served.
const NO_PAGE: &str = "<!doctype html>
<html lang=en>
<meta charset=utf-8>
<title>Handfast relay</title>
<h1>This is a Handfast relay</h1>
<p>It passes sealed frames between a phone and its companion, and can read none of them. Programs connect to <code>/v1</code>.
<p>It serves no page of the companion.
";
/// The text that is added to the answer if the page should have been embedded.
const NOT_BUILT: &str =
    "<p>This build has none: run <code>cargo xtask wasm</code>, then build the relay again.
";

/// Media types by file extension; files with other extensions are not served.
const KINDS: [(&str, &str); 8] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("wasm", "application/wasm"),
    ("json", "application/json"),
    ("txt", "text/plain; charset=utf-8"),
    ("sha256", "text/plain; charset=utf-8"),
];

/// The browser features that the page does not need, for the Permissions-Policy header.
const PERMISSIONS: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()";

fn kind(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    KINDS.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind)
}

impl Page {
    /// Reads the page to serve.
    pub(super) fn load(source: &PageSource, relay: &RelayName) -> Result<Self, ServerError> {
        match source {
            PageSource::None => Ok(Self::saying(NO_PAGE.to_owned())),
            PageSource::Embedded => Ok(match BUILT {
                Some(files) => Self::embedded(files, relay),
                None => Self::saying(format!("{NO_PAGE}{NOT_BUILT}")),
            }),
            PageSource::Folder(folder) => Self::folder(folder),
        }
    }

    /// Returns whether a page is served, so that the relay's own origin may connect.
    pub(super) fn is_page(&self) -> bool {
        self.files.contains_key(HOME)
    }

    fn saying(text: String) -> Self {
        let index = Asset { kind: "text/html; charset=utf-8", plain: text.into(), gzip: Bytes::new() };
        let policy = HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
        Self { files: BTreeMap::from([(INDEX.to_owned(), index)]), policy }
    }

    fn embedded(embedded: &'static [Embedded], relay: &RelayName) -> Self {
        let mut files: BTreeMap<_, _> = embedded
            .iter()
            .map(|file| {
                let (plain, gzip) = (Bytes::from_static(file.plain), Bytes::from_static(file.gzip));
                (file.path.to_owned(), Asset { kind: kind(file.path).unwrap_or_default(), plain, gzip })
            })
            .collect();
        let home = serde_json::json!({ "relay": relay.as_str() }).to_string();
        let home = Asset { kind: "application/json", plain: home.into(), gzip: Bytes::new() };
        let _ = files.insert(HOME.to_owned(), home);
        // This cannot fail: all characters of a relay's name are valid in a header.
        let policy =
            HeaderValue::from_str(&policy(relay)).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { files, policy }
    }

    /// Reads a whole folder into memory. Later changes to the folder are not served.
    fn folder(folder: &Path) -> Result<Self, ServerError> {
        let bad = |what| ServerError::Page { folder: folder.to_owned(), what };
        let mut files = BTreeMap::new();
        let mut left = FOLDER_LEN_MAX;
        read(folder, "", &mut files, &mut left)
            .map_err(|()| bad("it cannot be read, or holds more than 1,000 files or 64 MiB"))?;
        let names_relay = files.get(HOME).is_some_and(|home: &Asset| {
            let home = serde_json::from_slice::<serde_json::Value>(&home.plain).unwrap_or_default();
            home["relay"].as_str().is_some_and(|relay| RelayName::parse(relay).is_ok())
        });
        let confined = files.get(INDEX).is_some_and(|index: &Asset| {
            let text = String::from_utf8_lossy(&index.plain);
            text.contains("http-equiv=\"Content-Security-Policy\"") && text.contains("default-src 'none'")
        });
        if !names_relay || !confined {
            return Err(bad("it is not the folder of a page"));
        }
        // All other directives are in the page itself. This one has no effect there, so it is a header.
        Ok(Self { files, policy: HeaderValue::from_static("frame-ancestors 'none'") })
    }

    /// Returns the HTTP response for the path of a request.
    pub(super) fn answer(&self, path: &str, request: &HeaderMap) -> Response {
        let path = match path.strip_prefix('/') {
            Some("") => INDEX,
            Some(path) => path,
            None => "",
        };
        let Some(asset) = self.files.get(path) else {
            return (StatusCode::NOT_FOUND, "there is no such file; load the page anew\n").into_response();
        };
        let mut response = asset.response(request);
        let headers = response.headers_mut();
        let lasts = path.starts_with(LASTING);
        let cache = if lasts { "public, max-age=31536000, immutable" } else { "no-cache" };
        let _ = headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        let keeps = path.ends_with(MEDIA_WORKER);
        // A worker has the policy of its own script. A worker may load nothing, except for the one that keeps
        // the page for use without a network.
        let _ = headers.insert(
            CONTENT_SECURITY_POLICY,
            match path {
                INDEX => self.policy.clone(),
                _ if keeps => HeaderValue::from_static("default-src 'none'; connect-src 'self'"),
                _ => HeaderValue::from_static("default-src 'none'"),
            },
        );
        if keeps {
            let everywhere = HeaderValue::from_static("/");
            let _ = headers.insert(HeaderName::from_static("service-worker-allowed"), everywhere);
        }
        response
    }
}

/// Reads the files to serve from a folder and its subfolders. Links are not followed; pipes and devices are
/// not opened.
fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Asset>, left: &mut u64) -> Result<(), ()> {
    for entry in fs::read_dir(folder).map_err(|_| ())? {
        let entry = entry.map_err(|_| ())?;
        let data = entry.metadata().map_err(|_| ())?;
        let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else { continue };
        if data.is_dir() {
            read(&entry.path(), &format!("{name}/"), files, left)?;
        } else if let (true, Some(kind)) = (data.is_file(), kind(&name)) {
            *left = left.checked_sub(data.len()).ok_or(())?;
            let plain = fs::read(entry.path()).map_err(|_| ())?.into();
            let _ = files.insert(name, Asset { kind, plain, gzip: Bytes::new() });
            if files.len() > FILES_MAX {
                return Err(());
            }
        }
    }
    Ok(())
}

impl Asset {
    fn response(&self, request: &HeaderMap) -> Response {
        let packed = !self.gzip.is_empty() && accepts_gzip(request);
        let body = if packed { self.gzip.clone() } else { self.plain.clone() };
        let mut response = body.into_response();
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, self.kind),
            (REFERRER_POLICY, "no-referrer"),
            (VARY, "accept-encoding"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        ] {
            let _ = headers.insert(name, HeaderValue::from_static(value));
        }
        if packed {
            let _ = headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Returns the content security policy of the page: load what this relay serves, run the module, connect to
/// this relay.
fn policy(relay: &RelayName) -> String {
    let scheme = if relay.is_loopback() { "ws" } else { "wss" };
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; \
         media-src 'self' blob:; worker-src 'self'; connect-src 'self' {scheme}://{relay}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types handfast"
    )
}

/// Returns whether the client accepts gzip. A client that gives it the weight 0 refuses it.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
            && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static SMALL: [Embedded; 3] = [
        Embedded { path: "index.html", plain: b"index", gzip: b"packed index" },
        Embedded { path: "assets/0a/x.js", plain: b"plain", gzip: b"packed" },
        Embedded { path: "assets/0a/media_worker.js", plain: b"worker", gzip: b"" },
    ];

    fn small() -> Page {
        Page::embedded(&SMALL, &RelayName::parse("relay.example").expect("a name"))
    }

    fn request(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(encoding))])
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[test]
    fn who_takes_gzip_gets_it() {
        for (encoding, expected) in [
            ("gzip", "gzip"),
            ("br, gzip", "gzip"),
            ("GZIP;q=0.5", "gzip"),
            ("deflate,gzip;q=1.0", "gzip"),
            ("", ""),
            ("br", ""),
            ("gzip;q=0", ""),
            ("gzip; q=0", ""),
            ("xgzip", ""),
            ("identity", ""),
        ] {
            let answer = small().answer("/assets/0a/x.js", &request(encoding));
            assert_eq!(header(&answer, "content-encoding"), expected, "{encoding}");
        }
        let none = small().answer("/assets/0a/x.js", &HeaderMap::new());
        assert_eq!(header(&none, "content-encoding"), "");
    }

    #[test]
    fn assets_last_and_the_index_does_not() {
        let asset = small().answer("/assets/0a/x.js", &HeaderMap::new());
        assert!(header(&asset, "cache-control").contains("immutable"));
        assert_eq!(header(&asset, "content-type"), "text/javascript; charset=utf-8");
        for path in ["/", "/index.html", "/handfast.json"] {
            assert_eq!(
                header(&small().answer(path, &HeaderMap::new()), "cache-control"),
                "no-cache",
                "{path}"
            );
        }
    }

    #[test]
    fn only_what_is_there_is_served() {
        for path in [
            "",
            "//",
            "/x.js",
            "/assets/",
            "/assets/0b/x.js",
            "/assets/0a/../0a/x.js",
            "/assets/0a//x.js",
            "/../Cargo.toml",
        ] {
            let status = small().answer(path, &HeaderMap::new()).status();
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn every_answer_confines_the_page() {
        let page = small();
        for path in ["/", "/assets/0a/x.js", "/handfast.json", "/assets/0a/media_worker.js"] {
            let answer = page.answer(path, &HeaderMap::new());
            assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
            assert_eq!(header(&answer, "cross-origin-opener-policy"), "same-origin");
            assert_eq!(header(&answer, "cross-origin-embedder-policy"), "require-corp");
            assert_eq!(header(&answer, "cross-origin-resource-policy"), "same-origin");
            assert!(header(&answer, "permissions-policy").contains("camera=()"));
            assert!(header(&answer, "content-security-policy").starts_with("default-src 'none'"), "{path}");
        }
        let policy = header(&page.answer("/", &HeaderMap::new()), "content-security-policy").to_owned();
        for rule in
            ["default-src 'none'", "wss://relay.example;", "trusted-types handfast", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(rule), "{rule}: {policy}");
        }
        for rule in ["unsafe-inline", "'unsafe-eval'", "http:", "data:", "*"] {
            assert!(!policy.contains(rule), "{rule}: {policy}");
        }
        let local = RelayName::parse("127.0.0.1:8787").expect("a name");
        assert!(self::policy(&local).contains("connect-src 'self' ws://127.0.0.1:8787;"));
        let worker = page.answer("/assets/0a/media_worker.js", &HeaderMap::new());
        assert_eq!(header(&worker, "service-worker-allowed"), "/");
    }

    #[test]
    fn without_a_page_there_is_one_file_that_says_so() {
        let relay = RelayName::parse("relay.example").expect("a name");
        let none = Page::load(&PageSource::None, &relay).expect("nothing to read");
        assert!(!none.is_page() && none.files.len() == 1);
        assert!(NOT_BUILT.contains("cargo xtask wasm"));
        assert!(small().is_page());
    }

    #[test]
    fn a_folder_is_a_page_or_refused() {
        let folder = std::env::temp_dir().join(format!("handfast-relay-page-{}", std::process::id()));
        fs::create_dir_all(folder.join("assets/0a")).expect("a folder");
        let load = || {
            Page::load(&PageSource::Folder(folder.clone()), &RelayName::parse("b.example").expect("a name"))
        };
        let put = |name: &str, text: &str| fs::write(folder.join(name), text).expect("written");
        assert!(load().is_err(), "empty");
        put("index.html", "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">");
        assert!(load().is_err(), "it names no relay");
        for home in ["", "{}", "{\"relay\": 1}", "{\"relay\": \"Not A Name\"}"] {
            put("handfast.json", home);
            assert!(load().is_err(), "{home}");
        }
        put("handfast.json", "{\"relay\": \"a.example\"}");
        put("assets/0a/x.js", "x");
        put("notes.md", "not served");
        std::os::unix::fs::symlink("/etc/hostname", folder.join("hosts.json")).expect("a link");
        let page = load().expect("a page");
        assert_eq!(page.files.keys().collect::<Vec<_>>(), ["assets/0a/x.js", "handfast.json", "index.html"]);
        assert_eq!(
            header(&page.answer("/", &HeaderMap::new()), "content-security-policy"),
            "frame-ancestors 'none'"
        );
        put("index.html", "<p>no policy");
        let refused = load().expect_err("it confines nothing").to_string();
        assert!(refused.contains("cargo xtask page"), "{refused}");
        fs::remove_dir_all(&folder).expect("removed");
        assert!(load().is_err(), "not there");
    }
}
