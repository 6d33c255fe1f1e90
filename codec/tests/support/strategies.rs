//! Random values of every kind, within the limits.

use super::values::{bytes, code, number, text};
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, PageCursor};
use handfast_codec::ids::{
    AttachKey, AttachmentId, BootId, CommandKey, CompanionId, DhPublic, Epoch, LogId, MailboxId, PskId, Salt,
    Signature, SigningPublic,
};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, ResumeBlock, Xk1, Xk2};
use handfast_codec::qr::Opening;
use handfast_codec::relay::{
    Attach, Attached, DataKind, Hello, MailboxProof, Peer, PeerInfo, RelayFrame, Wake, WakeFailure,
};
use handfast_codec::{DeviceRole, RelayName, Versions};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

pub(crate) fn role() -> impl Strategy<Value = DeviceRole> {
    prop_oneof![Just(DeviceRole::Phone), Just(DeviceRole::Web)]
}

pub(crate) fn versions() -> impl Strategy<Value = Versions> {
    vec(any::<u8>(), 1..=8).prop_map(|versions| Versions::new(&versions).unwrap())
}

pub(crate) fn relay_name() -> impl Strategy<Value = RelayName> {
    let host = prop_oneof![
        vec("[a-z][a-z0-9]{0,6}", 1..4).prop_map(|labels| labels.join(".")),
        any::<u32>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
        any::<u128>().prop_map(|ip| format!("[{}]", std::net::Ipv6Addr::from(ip))),
    ];
    (host, option::of(1_u16..)).prop_map(|(host, port)| {
        let name = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        RelayName::parse(if name.len() <= 40 { &name } else { "localhost" }).unwrap()
    })
}

fn signature() -> impl Strategy<Value = Signature> {
    any::<[u8; 32]>().prop_map(|half| {
        let mut whole = [0; 64];
        whole[..32].copy_from_slice(&half);
        whole[32..].copy_from_slice(&half);
        Signature::from_bytes(whole)
    })
}

fn key() -> impl Strategy<Value = AttachKey> {
    any::<[u8; 32]>().prop_map(AttachKey::from_bytes)
}

fn peer_info() -> impl Strategy<Value = PeerInfo> {
    (any::<[u8; 8]>(), any::<Option<bool>>(), option::of(text(0, 128)))
        .prop_map(|(id, same_net, origin)| PeerInfo { id: AttachmentId::from_bytes(id), same_net, origin })
}

fn proof() -> impl Strategy<Value = MailboxProof> {
    prop_oneof![
        key().prop_map(|key| MailboxProof::Pairing { key }),
        (key(), key(), any::<[u8; 16]>()).prop_map(|(phone_key, web_key, salt)| MailboxProof::Link {
            phone_key,
            web_key,
            salt: Salt::from_bytes(salt)
        }),
    ]
}

pub(crate) fn relay_frame() -> impl Strategy<Value = RelayFrame> {
    prop_oneof![
        (versions(), relay_name(), any::<[u8; 16]>(), number(), number()).prop_map(
            |(versions, name, boot, frame_len_max, ping_interval_ms)| RelayFrame::Hello(Hello {
                versions,
                name,
                boot: BootId::from_bytes(boot),
                frame_len_max,
                ping_interval_ms
            })
        ),
        any::<[u8; 32]>().prop_map(RelayFrame::Challenge),
        (any::<u8>(), role(), any::<[u8; 16]>(), proof(), signature()).prop_map(
            |(version, role, mailbox, proof, signature)| RelayFrame::Attach(Attach {
                version,
                role,
                mailbox: MailboxId::from_bytes(mailbox),
                proof,
                signature
            })
        ),
        (any::<[u8; 8]>(), option::of(peer_info()), option::of(bytes(1, 512)), option::of(bytes(1, 512)))
            .prop_map(|(own, peer, phone_sticky, web_sticky)| RelayFrame::Attached(Attached {
                own: AttachmentId::from_bytes(own),
                peer,
                phone_sticky,
                web_sticky
            })),
        (any::<u8>(), bytes(0, 600))
            .prop_map(|(kind, body)| RelayFrame::Data { kind: DataKind::from_u8(kind), body }),
        peer_info().prop_map(|info| RelayFrame::Peer(Peer::Up(info))),
        Just(RelayFrame::Peer(Peer::Down)),
        number().prop_map(|count| RelayFrame::Peer(Peer::Contended(count))),
        bytes(0, 256).prop_map(|handle| RelayFrame::Wake(Wake::Ask(handle))),
        any::<u8>().prop_map(|class| RelayFrame::Wake(Wake::Failed(WakeFailure(class)))),
        Just(RelayFrame::Wake(Wake::PeerUp)),
        (role(), bytes(0, 512)).prop_map(|(role, value)| RelayFrame::Sticky { role, value }),
        any::<[u8; 8]>().prop_map(RelayFrame::Ping),
        any::<[u8; 8]>().prop_map(RelayFrame::Pong),
        (code(), any::<u32>()).prop_map(|(code, retry_ms)| RelayFrame::Error { code, retry_ms }),
    ]
}

pub(crate) fn collection() -> impl Strategy<Value = Collection> {
    vec(any::<u8>(), 1..=32).prop_map(|name| Collection::new(&name).unwrap())
}

fn page() -> impl Strategy<Value = PageCursor> {
    bytes(0, 64).prop_map(|page| PageCursor::new(page).unwrap())
}

fn items() -> impl Strategy<Value = Items> {
    vec(vec(any::<u8>(), 1..200), 0..20).prop_map(|items| Items::build(items).unwrap())
}

fn parts() -> impl Strategy<Value = (u8, u8)> {
    (0_u8..32, 0_u8..32).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![lane_frame(), sync_frame(), stream_frame()]
}

fn lane_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (number(), number()).prop_map(|(id, rev)| Frame::Ping { id, rev }),
        number().prop_map(|id| Frame::Pong { id }),
        (number(), parts(), bytes(0, 3_000)).prop_map(|(seq, (part, last), body)| Frame::Msg {
            seq: seq.max(1),
            part,
            last,
            body
        }),
        (number(), vec((collection(), number()), 0..=64))
            .prop_map(|(durable, cursors)| Frame::Ack { durable, cursors }),
        (number(), bytes(0, 1_024)).prop_map(|(slot, body)| Frame::Now { slot, body }),
        (code(), number()).prop_map(|(code, retry_ms)| Frame::Close { code, retry_ms }),
        signature().prop_map(|signature| Frame::Revoked { signature }),
    ]
}

fn sync_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (collection(), number()).prop_map(|(collection, cursor)| Frame::Since { collection, cursor }),
        (collection(), number(), number(), parts(), items()).prop_map(
            |(collection, from, to, (part, last), items)| Frame::Delta {
                collection,
                from,
                to,
                part,
                last,
                items
            }
        ),
        (collection(), number()).prop_map(|(collection, rev)| Frame::SnapshotRequired { collection, rev }),
        (collection(), page()).prop_map(|(collection, page)| Frame::PageGet { collection, page }),
        (collection(), page(), page(), number(), items()).prop_map(|(collection, page, next, rev, items)| {
            Frame::Page { collection, page, next, rev, items }
        }),
        collection().prop_map(|collection| Frame::Leave { collection }),
        Just(Frame::WebBack),
        (collection(), number()).prop_map(|(collection, cursor)| Frame::DigestGet { collection, cursor }),
        (collection(), number(), any::<[u8; 32]>()).prop_map(|(collection, cursor, digest)| Frame::Digest {
            collection,
            cursor,
            digest
        }),
    ]
}

fn stream_frame() -> impl Strategy<Value = Frame> {
    let kind = prop_oneof![Just(OpenKind::Get), Just(OpenKind::Put)];
    prop_oneof![
        (number(), kind, bytes(0, 1_024)).prop_map(|(id, kind, meta)| Frame::Open { id, kind, meta }),
        (number(), number(), bytes(1, 3_000)).prop_map(|(id, offset, body)| Frame::Data { id, offset, body }),
        (number(), number()).prop_map(|(id, offset)| Frame::Credit { id, offset }),
        (number(), number()).prop_map(|(id, offset)| Frame::Durable { id, offset }),
        (number(), code()).prop_map(|(id, code)| Frame::Stop { id, code }),
        (number(), any::<[u8; 32]>()).prop_map(|(id, hash)| Frame::Fin { id, hash }),
        number().prop_map(|offset| Frame::ConnCredit { offset }),
    ]
}

pub(crate) fn link_frame() -> impl Strategy<Value = LinkFrame> {
    let ids = (any::<[u8; 32]>(), key(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let terms = (number(), number(), 1_u16..=365, text(1, 64), signature());
    prop_oneof![
        (ids, terms).prop_map(
            |(
                (account, phone_attach, salt, companion),
                (serial, grants, idle_days, account_name, signature),
            )| {
                LinkFrame::Cert(LinkCert {
                    account: SigningPublic::from_bytes(account),
                    phone_attach,
                    salt: Salt::from_bytes(salt),
                    companion: CompanionId::from_bytes(companion),
                    serial,
                    grants,
                    idle_days,
                    account_name,
                    signature,
                })
            }
        ),
        signature().prop_map(|signature| LinkFrame::Accept { signature }),
        Just(LinkFrame::Commit),
        Just(LinkFrame::WebBack),
        code().prop_map(|code| LinkFrame::Close { code }),
    ]
}

type Terms = (Versions, Vec<u64>, Vec<(u64, u64)>);

fn terms() -> impl Strategy<Value = Terms> {
    (versions(), btree_set(number(), 0..=32), btree_map(number(), number(), 0..=32)).prop_map(
        |(versions, capabilities, limits)| {
            (versions, capabilities.into_iter().collect(), limits.into_iter().collect())
        },
    )
}

pub(crate) fn resume_block() -> impl Strategy<Value = ResumeBlock> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let numbers = (number(), number(), number(), number());
    (ids, numbers, btree_map(number(), number(), 0..=16)).prop_map(
        |((out, inn, log), (next_seq, durable, oldest, rev), streams)| ResumeBlock {
            out_epoch: Epoch::from_bytes(out),
            in_epoch: Epoch::from_bytes(inn),
            next_seq,
            durable,
            oldest,
            log_id: LogId::from_bytes(log),
            rev,
            streams: streams.into_iter().collect(),
        },
    )
}

pub(crate) fn xk1() -> impl Strategy<Value = Xk1> {
    terms().prop_map(|(versions, capabilities, limits)| Xk1 { versions, capabilities, limits })
}

pub(crate) fn xk2() -> impl Strategy<Value = Xk2> {
    let keys = (any::<[u8; 32]>(), any::<[u8; 32]>(), key(), any::<[u8; 32]>());
    (any::<u8>(), terms(), keys, text(1, 64), text(0, 128), number()).prop_map(
        |(version, (_, capabilities, limits), keys, label, origin, grants)| {
            let (web_key, signing_key, attach_key, opening) = keys;
            Xk2 {
                version,
                capabilities,
                limits,
                web_key: DhPublic::from_bytes(web_key),
                signing_key: SigningPublic::from_bytes(signing_key),
                attach_key,
                label,
                origin,
                grants,
                opening: Opening::from_bytes(opening),
            }
        },
    )
}

pub(crate) fn kk1() -> impl Strategy<Value = Kk1> {
    (terms(), any::<u64>(), option::of(resume_block()), option::of(any::<[u8; 8]>()), any::<bool>()).prop_map(
        |((versions, capabilities, limits), try_, resume, held, pending)| Kk1 {
            versions,
            capabilities,
            limits,
            try_,
            resume,
            psk_id_held: held.map(PskId::from_bytes),
            pending,
        },
    )
}

pub(crate) fn kk2() -> impl Strategy<Value = Kk2> {
    let known = (number(), any::<[u8; 16]>(), number()).prop_map(|(highest, key, from)| CommandsKnown {
        highest,
        key: CommandKey::from_bytes(key),
        from,
    });
    (any::<u8>(), terms(), option::of(resume_block()), option::of(known), any::<bool>()).prop_map(
        |(version, (_, capabilities, limits), resume, commands, quarantine)| Kk2 {
            version,
            capabilities,
            limits,
            resume,
            commands,
            quarantine,
        },
    )
}
