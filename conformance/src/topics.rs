//! What the vector files hold.

mod bytes;
mod certificates;
mod commands;
mod frames_link;
mod frames_record;
mod frames_relay;
mod media;
mod messages;
mod noise;
mod pairing;
mod payloads;
mod qr;
mod reconnect;
mod records;
mod rules;
mod signatures;
mod state;
mod tlv;
mod transcripts;

use anyhow::Result;

use crate::case::Case;

/// Makes the cases of a file.
type Cases = fn() -> Result<Vec<Case>>;

/// Name, comment and cases of each file.
pub(crate) const ALL: &[(&str, &str, Cases)] = &[
    ("qr", "The text of a QR code and its fields.", qr::valid),
    ("refuse-qr", "Texts that are no QR code of Handfast, one fault each.", qr::invalid),
    ("frames-relay", "Relay frames and their fields.", frames_relay::valid),
    ("refuse-frames-relay", "Relay frames that are refused, one fault each.", frames_relay::invalid),
    ("frames-record", "Plaintexts of records and their frames.", frames_record::valid),
    (
        "refuse-frames-record",
        "Plaintexts of records that are refused, one fault each.",
        frames_record::invalid,
    ),
    ("frames-link", "Plaintexts of link records and their frames.", frames_link::valid),
    (
        "refuse-frames-link",
        "Plaintexts of link records that are refused, one fault each.",
        frames_link::invalid,
    ),
    ("payloads", "Handshake payloads and their fields.", payloads::valid),
    ("refuse-payloads", "Handshake payloads that are refused, one fault each.", payloads::invalid),
    ("records", "Sealed records that open.", records::valid),
    ("refuse-records", "Sealed records that do not open.", records::invalid),
    (
        "certificates",
        "Signatures that hold: attach, certificate, acceptance, revocation.",
        certificates::valid,
    ),
    ("refuse-certificates", "Signatures that do not hold.", certificates::invalid),
    ("noise", "First messages of the two handshakes that are read.", noise::valid),
    (
        "refuse-noise",
        "First messages of the two handshakes that are refused, with the local code.",
        noise::invalid,
    ),
    ("pairing", "Whole pairings, from their keys to the commit.", pairing::valid),
    ("refuse-pairing", "Openings that are not those of a code.", pairing::invalid),
    ("reconnect", "Whole reconnects, from their keys to the first records.", reconnect::reconnects),
    ("recovery", "Whole recoveries, from their keys to the verdict.", reconnect::recoveries),
    ("transcripts", "Handshakes as each of the parties sees them.", transcripts::valid),
    (
        "refuse-transcripts",
        "Handshakes in which one thing is wrong at one of the parties.",
        transcripts::invalid,
    ),
    ("signatures", "Signatures at the edges of what holds.", signatures::valid),
    (
        "refuse-signatures",
        "Signatures with one bit, label, relay or point that does not fit.",
        signatures::invalid,
    ),
    ("messages", "Bodies of the reference application.", messages::valid),
    ("refuse-messages", "Bodies of unknown kinds, and values that a slot does not have.", messages::invalid),
    ("bytes-message", "Bodies at the edges of what is allowed.", || bytes::valid(&["message"])),
    ("refuse-bytes-message", "Bodies with one thing broken by a mutator.", || bytes::invalid(&["message"])),
    ("rules", "Ratchet, recovery, resume, versions, heads, distinct keys.", rules::valid),
    ("refuse-rules", "What those rules refuse.", rules::invalid),
    (
        "commands",
        "Commands by their keys: envelopes, what a phone answers, what a web does.",
        commands::valid,
    ),
    ("refuse-commands", "Envelopes, commands and replies that are refused.", commands::invalid),
    ("media", "Media streams at their receiver.", media::valid),
    ("refuse-media", "Media streams of which a receiver refuses a part.", media::invalid),
    ("bytes-relay", "Relay frames at the edges of what is allowed.", || bytes::valid(&["relay"])),
    ("refuse-bytes-relay", "Relay frames with one thing broken by a mutator.", || bytes::invalid(&["relay"])),
    ("bytes-record", "Records at the edges of what is allowed.", || bytes::valid(&["record", "link"])),
    ("refuse-bytes-record", "Records with one thing broken by a mutator.", || {
        bytes::invalid(&["record", "link"])
    }),
    ("bytes-payload", "Handshake payloads at the edges of what is allowed.", || bytes::valid(&["payload"])),
    ("refuse-bytes-payload", "Handshake payloads with one thing broken by a mutator.", || {
        bytes::invalid(&["payload"])
    }),
    ("state", "Cells of the state tables in which nothing is refused.", state::valid),
    ("refuse-state", "Cells of the state tables whose event is answered by an error.", state::invalid),
];
