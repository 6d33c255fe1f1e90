//! Every command's effect exactly once and in order, and no command that was confirmed is lost: `exactly-once`,
//! `order-kept`; a reply answers what its writer saw: `reply-holds`; what was read stays read, and what is unread is
//! counted right: `read-holds`; who was put back is told on both sides: `put-back-told`; media arrive whole: `media-whole`.

use std::collections::BTreeMap;

use handfast::codec::ErrorCode;
use handfast::codec::ids::ContentId;

use super::recovery::is_out;
use crate::acts::EDITED;
use crate::users::PHONE;
use crate::world::World;

/// Messages of the phone by chat and text or file name: their ids.
fn messages(world: &World) -> BTreeMap<(u64, String), Vec<i64>> {
    let mut found: BTreeMap<(u64, String), Vec<i64>> = BTreeMap::new();
    let conn = world.nodes[PHONE.0].disk.look();
    let sql =
        "SELECT chat, CASE text WHEN '' THEN media_name ELSE replace(text, ?1, '') END, id FROM messages
               WHERE author = '' AND deleted = 0 ORDER BY id";
    let Ok(mut query) = conn.prepare_cached(sql) else { return found };
    let rows = query.query_map([EDITED], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, i64>(2)?))
    });
    for (chat, text, id) in rows.into_iter().flatten().flatten() {
        let key = (u64::try_from(chat).unwrap_or(0), text.unwrap_or_default());
        found.entry(key).or_default().push(id);
    }
    found
}

/// Whether companions wait for nothing.
///
/// # Errors
///
/// Which does.
pub fn nothing_is_under_way(world: &mut World) -> Result<(), (&'static str, String)> {
    for web in 0..world.plan.webs {
        if is_out(world, web) {
            continue;
        }
        let conn = world.nodes[world.web_node(web).0].disk.look();
        for (what, sql) in [
            ("commands", "SELECT count(*) FROM commands WHERE state IN ('held', 'queued', 'sent')"),
            ("transfers", "SELECT count(*) FROM transfers WHERE state IN ('queued', 'open')"),
        ] {
            let open: i64 = conn.query_row(sql, [], |row| row.get(0)).unwrap_or(-1);
            if open != 0 {
                return Err(("exactly-once", format!("companion {web} has {open} {what} open")));
            }
        }
    }
    Ok(())
}

/// What the phone had no room for stands as failed in the list of its companion's user, who may have heard of it through
/// another process, or would have just after a crash.
fn read_refused(world: &mut World) {
    for web in 0..world.plan.webs {
        let conn = world.nodes[world.web_node(web).0].disk.look();
        let sql = "SELECT content FROM transfers WHERE state = 'failed' AND error = ?1";
        let Ok(mut rows) = conn.prepare(sql) else { continue };
        let found = rows.query_map([ErrorCode::FULL.as_u16()], |row| row.get(0).map(ContentId::from_bytes));
        let found: Vec<_> = found.into_iter().flatten().flatten().collect();
        world.ledger.refused.extend(found);
    }
}

/// What was sent is there once; what was not confirmed, once at most.
pub fn exactly_once(world: &mut World) {
    read_refused(world);
    let found = messages(world);
    let mut wrong = Vec::new();
    for sent in &world.ledger.sent {
        let count = found.get(&(sent.chat, sent.text.clone())).map_or(0, Vec::len);
        let stopped = sent.web.is_some_and(|web| is_out(world, web));
        let lost = sent.may_be_lost || world.ledger.may_be_gone(sent);
        let must = sent.stored && !sent.link_over && !stopped && !lost;
        if count > 1 || (must && count == 0) {
            wrong.push(format!("{:?} of {:?} is there {count} times", sent.text, sent.web));
        }
    }
    for detail in wrong {
        world.ledger.violation("exactly-once", detail);
    }
}

/// Who was put back to before something that its peer knows is told so, on both sides.
pub fn put_back_is_told(world: &mut World) {
    let untold: Vec<_> = world
        .ledger
        .untold
        .iter()
        .filter(|(web, untold)| !untold.is_empty() && !is_out(world, **web))
        .map(|(web, untold)| format!("companion {web} was put back, and {untold:?} was not told"))
        .collect();
    for detail in untold {
        world.ledger.violation("put-back-told", detail);
    }
}

/// A reply names the message that its writer chose.
pub fn replies_hold(world: &mut World) {
    // Ids that a phone gave and lost it gives again, to other messages.
    if world.ledger.phone_lost {
        return;
    }
    let conn = world.nodes[PHONE.0].disk.look();
    let sql = "SELECT reply_to FROM messages
               WHERE chat = ?1 AND replace(text, ?3, '') = ?2 AND author = '' AND deleted = 0";
    let mut wrong = Vec::new();
    for sent in world.ledger.sent.iter().filter(|sent| !sent.text.starts_with("file")) {
        let chat = i64::try_from(sent.chat).unwrap_or(0);
        let found = conn
            .query_row(sql, rusqlite::params![chat, sent.text, EDITED], |row| row.get::<_, Option<i64>>(0));
        let Ok(found) = found else { continue };
        if found.map(|id| u64::try_from(id).unwrap_or(0)) != sent.reply_to {
            wrong.push(format!("{:?} answers {found:?}, not {:?}", sent.text, sent.reply_to));
        }
    }
    for detail in wrong {
        world.ledger.violation("reply-holds", detail);
    }
}

/// What a user was told is read is read at the phone, and each chat counts what is not.
pub fn reads_hold(world: &mut World) {
    let conn = world.nodes[PHONE.0].disk.look();
    let sql = "SELECT chat, read_to, unread, (SELECT count(*) FROM messages AS m WHERE m.chat = chats.chat
               AND m.id > chats.read_to AND m.author <> '' AND m.deleted = 0) FROM chats";
    let chats: BTreeMap<u64, [u64; 3]> = {
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        let Ok(mut query) = conn.prepare_cached(sql) else { return };
        let rows = query.query_map([], |row| {
            Ok((number(row.get(0)?), [number(row.get(1)?), number(row.get(2)?), number(row.get(3)?)]))
        });
        rows.into_iter().flatten().flatten().collect()
    };
    // A message that was deleted since is not one to be read.
    let between =
        "SELECT EXISTS(SELECT 1 FROM messages WHERE chat = ?1 AND id > ?2 AND id <= ?3 AND deleted = 0)";
    let is_left = |ids: [u64; 3]| {
        let ids = ids.map(|id| i64::try_from(id).unwrap_or(i64::MAX));
        conn.query_row(between, ids, |row| row.get::<_, bool>(0)).unwrap_or(true)
    };
    let mut wrong = Vec::new();
    for (chat, [read_to, unread, counted]) in &chats {
        if unread != counted {
            wrong.push(format!("chat {chat} says {unread} unread behind {read_to}, there are {counted}"));
        }
    }
    for read in &world.ledger.read {
        let must = read.stored && !read.link_over && !read.may_be_lost && !is_out(world, read.web);
        let read_to = chats.get(&read.chat).map_or(0, |chat| chat[0]);
        if must && read_to < read.message && is_left([read.chat, read_to, read.message]) {
            wrong.push(format!(
                "companion {} read chat {} to {}, the phone says {read_to}",
                read.web, read.chat, read.message
            ));
        }
    }
    for detail in wrong {
        world.ledger.violation("read-holds", detail);
    }
}

/// What one sender wrote into one chat stands there in the order in which it was sent.
pub fn in_order(world: &mut World) {
    let found = messages(world);
    let mut last: BTreeMap<(Option<usize>, u64), i64> = BTreeMap::new();
    let mut wrong = Vec::new();
    // Files take their time, and no promise is made about their order.
    for sent in world.ledger.sent.iter().filter(|sent| !sent.text.starts_with("file")) {
        let Some(id) = found.get(&(sent.chat, sent.text.clone())).and_then(|ids| ids.first()) else {
            continue;
        };
        let before = last.insert((sent.web, sent.chat), *id);
        if before.is_some_and(|before| before > *id) {
            wrong.push(format!("{:?} of {:?} stands before an older one", sent.text, sent.web));
        }
    }
    for detail in wrong {
        world.ledger.violation("order-kept", detail);
    }
}

/// Every file that a device says is whole has the bytes that it had where it came from.
pub fn media_is_whole(world: &mut World) {
    let mut wrong = Vec::new();
    let noted: Vec<[u8; 32]> = {
        let conn = world.nodes[PHONE.0].disk.look();
        conn.prepare_cached("SELECT content FROM media")
            .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
            .unwrap_or_default()
    };
    let mut claims: Vec<(usize, ContentId)> =
        noted.into_iter().map(|id| (0, ContentId::from_bytes(id))).collect();
    for (web, view) in world.ledger.webs.iter().enumerate() {
        // A companion that lost commits, or its link, need not have what it once had.
        let revoked = view.revoked || world.ledger.web_lost.contains(&web);
        // Where the phone was put back, messages are gone, and what they brought goes with them.
        let conn = world.nodes[web + 1].disk.look();
        let is_named = |content: &ContentId| {
            conn.prepare_cached("SELECT 1 FROM messages WHERE content = ?1")
                .and_then(|mut query| query.exists([content.as_bytes()]))
                .unwrap_or(true)
        };
        let is_due = |content: &&ContentId| !revoked && (!world.ledger.phone_lost || is_named(content));
        claims.extend(view.fetched.iter().filter(is_due).map(|content| (web + 1, *content)));
    }
    for (node, content) in claims {
        let path = world.nodes[node].disk.dir().join("media").join(content.to_string());
        let Some(bytes) = world.ledger.files.get(&content) else { continue };
        if std::fs::read(&path).ok().as_ref() != Some(bytes) {
            wrong.push(format!("{content} at device {node} is not what was sent"));
        }
    }
    for detail in wrong {
        world.ledger.violation("media-whole", detail);
    }
}
