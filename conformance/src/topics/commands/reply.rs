//! The fields of message 2 of a reconnect, by its mode and version.

use handfast_codec::ErrorCode;
use handfast_codec::ids::CommandKey;
use handfast_codec::payload::{CommandsKnown, Kk2};
use serde_json::json;

use super::given::Given;
use crate::fields::hex;
use crate::topics::payloads;

/// Name, mode, versions offered, version of the reply; whether it has 21, 31 and 27; the code.
type Row = (&'static str, &'static str, &'static str, u8, [bool; 3], Option<ErrorCode>);

const MISSING: Option<ErrorCode> = Some(ErrorCode::FIELD_MISSING);
const VALUE: Option<ErrorCode> = Some(ErrorCode::FIELD_VALUE);
const VERSION: Option<ErrorCode> = Some(ErrorCode::NO_COMMON_VERSION);

const ROWS: [Row; 15] = [
    ("resume", "resume", "0201", 2, [true, true, false], None),
    ("resume-without-commands", "resume", "0201", 2, [true, false, false], MISSING),
    ("resume-without-block", "resume", "0201", 2, [false, true, false], MISSING),
    ("resume-without-both", "resume", "0201", 2, [false, false, false], MISSING),
    ("outdated", "resume", "0201", 1, [true, false, false], None),
    ("outdated-with-commands", "resume", "0201", 1, [true, true, false], VALUE),
    ("outdated-without-block", "resume", "0201", 1, [false, false, false], MISSING),
    ("outdated-not-offered", "resume", "02", 1, [true, false, false], VERSION),
    ("version-3", "resume", "0201", 3, [true, true, false], VERSION),
    ("quarantine", "resume", "0201", 2, [false, false, true], None),
    ("quarantine-with-commands", "resume", "0201", 2, [false, true, true], VALUE),
    ("quarantine-with-block", "resume", "0201", 2, [true, false, true], VALUE),
    ("recover", "recover", "0201", 2, [false, false, false], None),
    ("recover-with-commands", "recover", "0201", 2, [false, true, false], VALUE),
    ("recover-with-block", "recover", "0201", 2, [true, false, false], VALUE),
];

pub(super) fn replies() -> Vec<Given> {
    let given = |(name, mode, offered, version, [block, commands, quarantine], code): Row| {
        let known = CommandsKnown { highest: 3, key: CommandKey::from_bytes([0x5e; 16]), from: 1 };
        let payload = Kk2 {
            version,
            capabilities: vec![],
            limits: vec![],
            resume: block.then(|| payloads::block(1)),
            commands: commands.then_some(known),
            quarantine,
        };
        Given {
            name: format!("reply-{name}"),
            reqs: vec![if code == VERSION { "HSK-008" } else { "HSK-064" }],
            comment: "which of 21, 31 and 27 stand in message 2, and under which version",
            op: "reply.read",
            input: json!({ "mode": mode, "offered": offered, "payload": hex(payload.encode()) }),
            code,
        }
    };
    ROWS.map(given).into()
}
