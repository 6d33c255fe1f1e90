//! Each companion's mirror is the phone's account, row by row: `logs-converge`.

use handfast::codec::limits::CHAT_WINDOW;
use rusqlite::types::Value;
use rusqlite::{Connection, Params};

use super::recovery::is_out;
use crate::users::PHONE;
use crate::world::World;

/// The invariant's name.
pub const CONVERGE: &str = "logs-converge";
const CHATS: &str =
    "SELECT chat, title, last_message, last_text, last_time_ms, unread FROM chats ORDER BY chat";
const MESSAGES: &str =
    "SELECT chat, id, author, time_ms, text, state, reply_to, content, media_type, media_name,
    media_size, companion, command, edited";
/// Reactions as the companion keeps them.
const REACTIONS: &str = "(SELECT json_group_array(json_array(author, reaction)) FROM (SELECT author, reaction
    FROM reactions AS r WHERE r.chat = m.chat AND r.id = m.id ORDER BY author))";
const COMPANIONS: &str = "SELECT serial, companion, label, linked_ms, seen_ms,
    CASE status WHEN 'offered' THEN 1 WHEN 'active' THEN 2 WHEN 'suspended' THEN 3 END AS standing
    FROM companions WHERE standing IS NOT NULL ORDER BY serial";
const MIRRORED_COMPANIONS: &str =
    "SELECT serial, companion, label, linked_ms, seen_ms, status FROM companions ORDER BY serial";

fn rows(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut query = conn.prepare_cached(sql)?;
    let width = query.column_count();
    let rows = query.query_map(params, |row| (0..width).map(|at| row.get::<_, Value>(at)).collect())?;
    rows.collect()
}

/// Compares the disks.
///
/// # Errors
///
/// The first difference.
pub fn converge(world: &mut World) -> Result<(), (&'static str, String)> {
    let failed = |error: rusqlite::Error| (CONVERGE, error.to_string());
    let phone = world.nodes[PHONE.0].disk.look();
    let chats = rows(phone, CHATS, []).map_err(failed)?;
    let live = format!(
        "{MESSAGES}, {REACTIONS} FROM messages AS m WHERE deleted = 0 AND (SELECT count(*) FROM messages AS n WHERE n.chat = m.chat
         AND n.id > m.id AND n.deleted = 0) < {CHAT_WINDOW} ORDER BY chat, id"
    );
    let messages = rows(phone, &live, []).map_err(failed)?;
    let companions = rows(phone, COMPANIONS, []).map_err(failed)?;
    for web in 0..world.plan.webs {
        if is_out(world, web) {
            continue;
        }
        if world.ledger.phone_lost {
            same_ids(world, web).map_err(|detail| (CONVERGE, detail))?;
            continue;
        }
        let disk = world.nodes[world.web_node(web).0].disk.look();
        let there = rows(disk, CHATS, []).map_err(failed)?;
        compare(web, "chats", &chats, &there)?;
        let there = format!("{MESSAGES}, reactions FROM messages ORDER BY chat, id");
        compare(web, "messages", &messages, &rows(disk, &there, []).map_err(failed)?)?;
        let there = rows(disk, MIRRORED_COMPANIONS, []).map_err(failed)?;
        compare(web, "companions", &companions, &there)?;
        held(world, web)?;
    }
    Ok(())
}

/// Compares the list of chats, and the window of each chat by itself: for accounts that are too large to be held in
/// memory, and for chats that are longer than their windows.
///
/// # Errors
///
/// The first difference.
pub fn converge_by_chats(world: &World, web: usize) -> Result<(), (&'static str, String)> {
    let failed = |error: rusqlite::Error| (CONVERGE, error.to_string());
    let (phone, disk) = (world.nodes[PHONE.0].disk.look(), world.nodes[world.web_node(web).0].disk.look());
    let (here, there) = (rows(phone, CHATS, []).map_err(failed)?, rows(disk, CHATS, []).map_err(failed)?);
    compare(web, "chats", &here, &there)?;
    let newest = |reactions: &str, live: &str| {
        format!(
            "{MESSAGES}, {reactions} FROM messages AS m WHERE chat = ?1 {live} ORDER BY id DESC LIMIT {CHAT_WINDOW}"
        )
    };
    let (of_phone, of_web) = (newest(REACTIONS, "AND deleted = 0"), newest("reactions", ""));
    for chat in here.iter().filter_map(|row| row.first()) {
        let here = rows(phone, &of_phone, [chat]).map_err(failed)?;
        let there = rows(disk, &of_web, [chat]).map_err(failed)?;
        compare(web, "messages of a chat", &here, &there)?;
    }
    held(world, web)
}

/// Each range of messages that a companion says it holds is the phone's, in the window of its chat or not: none is
/// missing, deleted ones are gone, and edits and reactions have come.
fn held(world: &World, web: usize) -> Result<(), (&'static str, String)> {
    let failed = |error: rusqlite::Error| (CONVERGE, error.to_string());
    let (phone, disk) = (world.nodes[PHONE.0].disk.look(), world.nodes[world.web_node(web).0].disk.look());
    let within = "FROM messages AS m WHERE chat = ?1 AND id BETWEEN ?2 AND ?3";
    let of_phone = format!("{MESSAGES}, {REACTIONS} {within} AND deleted = 0 ORDER BY id");
    let of_web = format!("{MESSAGES}, reactions {within} ORDER BY id");
    for range in rows(disk, "SELECT chat, low, high FROM ranges ORDER BY chat, low", []).map_err(failed)? {
        let [chat, low, high] = range.as_slice() else { continue };
        let here = rows(phone, &of_phone, [chat, low, high]).map_err(failed)?;
        let there = rows(disk, &of_web, [chat, low, high]).map_err(failed)?;
        compare(web, "messages of a range", &here, &there)?;
    }
    Ok(())
}

/// What has left the window of a chat stays at a companion as history: nothing is missing in its newest range.
///
/// # Errors
///
/// The first chat with a gap.
pub fn no_gaps(world: &World, web: usize) -> Result<(), (&'static str, String)> {
    let failed = |error: rusqlite::Error| (CONVERGE, error.to_string());
    let (phone, disk) = (world.nodes[PHONE.0].disk.look(), world.nodes[world.web_node(web).0].disk.look());
    let of_web = "SELECT chat, count(*), min(id) FROM messages AS m
        WHERE id >= coalesce((SELECT max(low) FROM ranges AS r WHERE r.chat = m.chat), 0) GROUP BY chat";
    let of_phone = "SELECT count(*) FROM messages WHERE chat = ?1 AND id >= ?2 AND deleted = 0";
    for row in rows(disk, of_web, []).map_err(failed)? {
        let [chat, count, oldest] = row.as_slice() else { continue };
        let here = rows(phone, of_phone, [chat, oldest]).map_err(failed)?;
        let (here, there) = ([here], [vec![vec![count.clone()]]]);
        if here != there {
            return Err((
                CONVERGE,
                format!("companion {web}: chat {chat:?} has {there:?} messages, {here:?} at the phone"),
            ));
        }
    }
    Ok(())
}

/// A phone that lost commits gives revisions a second time, and maybe to other rows of the same ids. A digest is over
/// ids and revisions (SYN), so ids are what it promises then.
fn same_ids(world: &World, web: usize) -> Result<(), String> {
    let ids = |messages: &str| {
        format!(
            "SELECT chat, id FROM {messages} AS m WHERE (SELECT count(*) FROM {messages} AS n WHERE n.chat = m.chat
             AND n.id > m.id) < {CHAT_WINDOW} ORDER BY chat, id"
        )
    };
    let live = ids("(SELECT chat, id FROM messages WHERE deleted = 0)");
    let here = rows(world.nodes[PHONE.0].disk.look(), &live, []).map_err(|error| error.to_string())?;
    let there = rows(world.nodes[world.web_node(web).0].disk.look(), &ids("messages"), []);
    let there = there.map_err(|error| error.to_string())?;
    compare(web, "ids", &here, &there).map_err(|(_, detail)| detail)
}

fn compare(
    web: usize,
    what: &str,
    here: &[Vec<Value>],
    there: &[Vec<Value>],
) -> Result<(), (&'static str, String)> {
    if here == there {
        return Ok(());
    }
    let differs = here.iter().zip(there).find(|(one, other)| one != other);
    let text: String = format!("{differs:?}").chars().take(300).collect();
    Err((
        CONVERGE,
        format!("companion {web}: {} {what} at the phone, {} there; {text}", here.len(), there.len()),
    ))
}
