//! The page of the reference companion, as it was embedded when the relay was built.
//!
//! It is served with everything that a browser offers to confine it: nothing from other origins, no inline code, no
//! strings that become code, no frames around it.

use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use handfast_codec::RelayName;

/// One file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Its path below `/assets/`; it changes with the content of any file.
    path: &'static str,
    /// Its media type.
    kind: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

/// The page: what `/` answers, and the files that it loads.
#[derive(Debug)]
pub(super) struct Page {
    index: Asset,
    assets: &'static [Asset],
}

/// The page, if it was built before the relay.
static BUILT: Option<Page> = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The script that answers for media: it may stand in front of the page, from where it lies.
const MEDIA_WORKER: &str = "/media_worker.js";

/// Where the page would be, in a build without it.
const NOT_BUILT: &str = "<!doctype html>
<html lang=en>
<meta charset=utf-8>
<title>Handfast relay</title>
<h1>This is a Handfast relay</h1>
<p>It passes sealed frames between a phone and its companion, and can read none of them.
<p>The page of the companion is not part of this build: run <code>cargo xtask wasm</code>, then build the relay again.
Programs connect to <code>/v1</code>.
";

static NONE: Page = Page {
    index: Asset { path: "", kind: "text/html; charset=utf-8", plain: NOT_BUILT.as_bytes(), gzip: &[] },
    assets: &[],
};

/// The page of this build.
pub(super) fn page() -> &'static Page {
    BUILT.as_ref().unwrap_or(&NONE)
}

impl Page {
    /// Answers `/`.
    pub(super) fn index(&self, relay: &RelayName, request: &HeaderMap) -> Response {
        let mut response = self.index.response(request);
        let headers = response.headers_mut();
        let _ = headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // A relay's name is of a host's characters and fits a header.
        if let Ok(policy) = HeaderValue::from_str(&policy(relay)) {
            let _ = headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }

    /// Answers a path below `/assets/`.
    pub(super) fn asset(&self, path: &str, request: &HeaderMap) -> Response {
        let Some(asset) = self.assets.iter().find(|asset| asset.path == path) else {
            return (StatusCode::NOT_FOUND, "there is no such file; load the page anew\n").into_response();
        };
        let mut response = asset.response(request);
        let headers = response.headers_mut();
        let lasting = HeaderValue::from_static("public, max-age=31536000, immutable");
        let _ = headers.insert(CACHE_CONTROL, lasting);
        // A worker has the rules that come with its own script: it loads nothing, but the one that keeps the page for when there
        // is no network.
        let keeps = asset.path.ends_with(MEDIA_WORKER);
        let policy = if keeps { "default-src 'none'; connect-src 'self'" } else { "default-src 'none'" };
        let _ = headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        if keeps {
            let everywhere = HeaderValue::from_static("/");
            let _ = headers.insert(HeaderName::from_static("service-worker-allowed"), everywhere);
        }
        response
    }
}

impl Asset {
    fn response(&self, request: &HeaderMap) -> Response {
        let packed = !self.gzip.is_empty() && accepts_gzip(request);
        let body = Bytes::from_static(if packed { self.gzip } else { self.plain });
        let mut response = body.into_response();
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, self.kind),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (VARY, "accept-encoding"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            let _ = headers.insert(name, HeaderValue::from_static(value));
        }
        if packed {
            let _ = headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// What the page may do: load what this relay serves, run its module, speak to this relay.
fn policy(relay: &RelayName) -> String {
    let scheme = if relay.is_loopback() { "ws" } else { "wss" };
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; \
         media-src 'self' blob:; worker-src 'self'; connect-src 'self' {scheme}://{relay}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types handfast"
    )
}

/// Whether the request takes gzip. A weight of 0 refuses it.
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

    static SMALL: Page = Page {
        index: Asset { path: "", kind: "text/html; charset=utf-8", plain: b"index", gzip: b"packed index" },
        assets: &[Asset { path: "0a/x.js", kind: "text/javascript", plain: b"plain", gzip: b"packed" }],
    };

    fn request(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(encoding))])
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[test]
    fn who_takes_gzip_gets_it() {
        for takes in ["gzip", "br, gzip", "GZIP;q=0.5", "deflate,gzip;q=1.0"] {
            assert_eq!(
                header(&SMALL.asset("0a/x.js", &request(takes)), "content-encoding"),
                "gzip",
                "{takes}"
            );
        }
        for refuses in ["", "br", "gzip;q=0", "gzip; q=0", "xgzip", "identity"] {
            assert_eq!(
                header(&SMALL.asset("0a/x.js", &request(refuses)), "content-encoding"),
                "",
                "{refuses}"
            );
        }
        let none = SMALL.asset("0a/x.js", &HeaderMap::new());
        assert_eq!(header(&none, "content-encoding"), "");
    }

    #[test]
    fn assets_last_and_the_index_does_not() {
        let asset = SMALL.asset("0a/x.js", &HeaderMap::new());
        assert!(header(&asset, "cache-control").contains("immutable"));
        assert_eq!(header(&asset, "content-type"), "text/javascript");
        let relay = RelayName::parse("relay.example").expect("a name");
        assert_eq!(header(&SMALL.index(&relay, &HeaderMap::new()), "cache-control"), "no-cache");
    }

    #[test]
    fn only_what_is_embedded_is_served() {
        for path in ["", "x.js", "0b/x.js", "0a/x.js/", "0a/../0a/x.js", "0a//x.js", "../Cargo.toml"] {
            let status = SMALL.asset(path, &HeaderMap::new()).status();
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn every_answer_confines_the_page() {
        let relay = RelayName::parse("relay.example").expect("a name");
        let index = SMALL.index(&relay, &HeaderMap::new());
        for answer in [&index, &SMALL.asset("0a/x.js", &HeaderMap::new())] {
            assert_eq!(header(answer, "x-content-type-options"), "nosniff");
            assert_eq!(header(answer, "referrer-policy"), "no-referrer");
            assert_eq!(header(answer, "cross-origin-opener-policy"), "same-origin");
            assert_eq!(header(answer, "cross-origin-resource-policy"), "same-origin");
        }
        let policy = header(&index, "content-security-policy");
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
    }

    #[test]
    fn a_build_without_the_page_says_how_to_make_it() {
        assert!(NOT_BUILT.contains("cargo xtask wasm"));
        assert!(NONE.assets.is_empty());
    }
}
