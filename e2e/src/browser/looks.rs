//! What is looked for on the page and on the phone: scripts for the browser, and questions for the phone's control socket.

use serde_json::{Value, json};

/// A script that says whether the page is connected to the phone.
pub(super) const LIVE: &str = "return document.querySelector('.banner.tone-good') !== null";

/// A script that says whether the page is not connected.
pub(super) const NOT_LIVE: &str = "return document.querySelector('.banner:not(.tone-good)') !== null";

/// The page shows a code.
pub(super) const CODE: &str = "return document.querySelector('svg.code') !== null";
/// The page asks for the number.
pub(super) const NUMBER_WANTED: &str = "return document.querySelector('.digits.typed') !== null";
/// A script that gives the check code.
pub(super) const CHECK_CODE: &str =
    "return document.querySelector('.digits[aria-label^=\"Check code\"]')?.textContent";

/// A script that opens a database and counts its rows of a store.
pub(super) const KEYS: &str = "return new Promise((ok, fail) => { const open = indexedDB.open('handfast'); open.onerror = fail; \
    open.onsuccess = () => { open.result.transaction('handfast').objectStore('handfast').getAll().onsuccess = ({ target }) => { \
    open.result.close(); ok(target.result.filter((row) => row.sealed).length); }; }; })";
/// The files that are attached.
pub(super) const FILES: &str = ".composer input[type=file]";

pub(super) fn history(chat: u64) -> Value {
    json!({"verb": "history", "chat": chat})
}

pub(super) fn has_text(history: &Value, text: &str) -> bool {
    history["messages"].as_array().is_some_and(|all| all.iter().any(|message| message["text"] == text))
}

/// A script that says whether a message with this text is shown.
pub(super) fn shows(text: &str) -> String {
    let text = json!(text);
    format!(
        "return [...document.querySelectorAll('article .text')].some((one) => one.textContent === {text})"
    )
}

/// A script over the rows of one of the page's stores: `all` of them, and the `store`.
pub(super) fn script_over(store: &str, mode: &str, script: &str) -> String {
    format!(
        "return new Promise((ok, fail) => {{ const open = indexedDB.open('handfast'); open.onerror = fail; open.onsuccess = () => {{ \
         const txn = open.result.transaction({store:?}, {mode:?}); const store = txn.objectStore({store:?}); \
         store.getAll().onsuccess = ({{ target: {{ result: all }} }}) => {{ const found = (() => {{ {script} }})(); \
         txn.oncomplete = () => {{ open.result.close(); ok(found); }}; }}; }}; }})"
    )
}
