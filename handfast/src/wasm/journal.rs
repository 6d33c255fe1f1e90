//! Commits as lists of writes, for stores that apply writes asynchronously.

use std::collections::VecDeque;

use handfast_session::{Commit, Op, VERSION_KEY, is_secret};
use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::Refusal;
use super::js_object::{bytes, object};

/// The commits that the page has and that are not durable yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal(VecDeque<Commit>);

impl Journal {
    /// Returns the oldest open commit, which has just become durable.
    ///
    /// # Errors
    /// No commit is open.
    pub(super) fn take_oldest(&mut self) -> Result<Commit, Refusal> {
        self.0.pop_front().ok_or_else(|| Refusal::new("WRONG_STATE", "no commit is open"))
    }

    /// Converts a commit into an object for the page. The commit is open from now on.
    pub(super) fn write(&mut self, commit: Commit) -> JsValue {
        let mut fields = vec![
            ("link", JsValue::from(commit.link().to_string())),
            ("versionKey", bytes(VERSION_KEY)),
            ("writes", commit.writes().iter().map(write).collect::<Array>().into()),
        ];
        if commit.expects() > 0 {
            fields.push(("expects", bytes(&commit.expects().to_be_bytes())));
        }
        self.0.push_back(commit);
        object(&fields)
    }
}

fn write(op: &Op) -> JsValue {
    match op {
        Op::Put { key, value } => {
            let mut row = vec![("key", bytes(key)), ("value", bytes(value))];
            row.extend(is_secret(key).then_some(("secret", JsValue::TRUE)));
            object(&row)
        }
        Op::Delete { key } => object(&[("key", bytes(key))]),
        Op::DeleteRange { from, to } => object(&[("from", bytes(from)), ("to", bytes(to))]),
    }
}
