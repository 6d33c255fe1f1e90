//! What a web server has to say with the page, and what the relay must be told.

/// Examples for an operator, with the relay's name.
pub(super) fn words(relay: &str) -> String {
    format!(
        "Serve it at the root of a name that speaks HTTPS, with these headers, which a page cannot give itself:

  nginx
    add_header Content-Security-Policy \"frame-ancestors 'none'\" always;
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy no-referrer always;
    add_header Cross-Origin-Opener-Policy same-origin always;
    add_header Strict-Transport-Security \"max-age=31536000\" always;
    location ~ ^/assets/.*/media_worker\\.js$ {{
        add_header Service-Worker-Allowed / always;
        add_header X-Content-Type-Options nosniff always;
        add_header Content-Security-Policy \"default-src 'none'; connect-src 'self'\" always;
    }}

  Caddy
    header Content-Security-Policy \"frame-ancestors 'none'\"
    header X-Content-Type-Options nosniff
    header Referrer-Policy no-referrer
    header Cross-Origin-Opener-Policy same-origin
    @worker path_regexp ^/assets/.*/media_worker\\.js$
    header @worker Service-Worker-Allowed /
    header @worker Content-Security-Policy \"default-src 'none'; connect-src 'self'\"

  .wasm files go as application/wasm.

Let its pages connect: start the relay of {relay} with
  handfast-relay --name {relay} --allow-origin https://NAME-OF-THE-PAGE

A page cannot see why it was refused: where it says that the relay cannot be reached, look at this option first.
Publish the manifest above: whoever builds the same sources gets the same hashes (`cargo xtask page --reproduce`)."
    )
}
