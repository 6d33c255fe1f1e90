//! Texts both ways, and answers.

use anyhow::Result;

use super::world::{By, CHATS, World};

/// The answer that the demo network's contact gives to a text.
pub(crate) fn answer_to(text: &str) -> String {
    format!("echo: {text}")
}

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    for round in 0..5 {
        let chat = 1 + round * 3 % CHATS;
        let _ = world.text(By::Web, chat)?;
        let _ = world.text(By::Phone, chat)?;
    }
    world.table.ok("texts both ways", "5 from the companion, 5 from the phone, each seen on both");
    world.settle()?;
    world.table.ok("the contact answers without being asked", "10 answers, each seen on both");
    Ok(())
}
