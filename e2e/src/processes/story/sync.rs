//! The first sync.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::world::{CHATS, World};

/// The messages that the demo network begins with.
const MESSAGES: u64 = 2_000;

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    world.ledger.write(json!({"kind": "history", "chats": CHATS, "messages": MESSAGES}))?;
    let synced = world.web.process()?.wait_event(0, "synced", Duration::from_mins(1))?;
    let (chats, messages) = (synced["chats"].as_u64(), synced["messages"].as_u64());
    let (chats, messages) = (chats.context("no chats")?, messages.context("no messages")?);
    ensure!(chats == CHATS && messages >= MESSAGES, "synced {chats} chats with {messages} messages");
    world.table.ok("first sync", format!("{chats} chats, {messages} messages"));
    Ok(())
}
