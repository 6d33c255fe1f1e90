//! The smallest use of the packed crates: a phone that stores one row, and is closed.

use handfast::bytes::Bytes;
use handfast::codec::frame::{Collection, RowId};
use handfast::codec::ids::MailboxId;
use handfast::driver::Connector;
use handfast::tether::{PhoneApp, PhoneTxn, TetherError, open_phone};

struct List;

impl PhoneApp for List {
    type Event = ();

    fn command(&mut self, _: &mut PhoneTxn<'_, ()>, _: MailboxId, _: &Bytes) -> Result<Bytes, TetherError> {
        Ok(Bytes::new())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("handfast-packed-{}", std::process::id()));
    let runner = open_phone(&dir, List, Connector::new()?)?;
    let phone = runner.handle();
    let stored = async {
        let list = Collection::new(b"list").expect("a short name");
        let revision = phone.change(move |_, txn| txn.put(&list, RowId::from_number(1), "milk".into())).await?;
        phone.close().await;
        Ok(revision)
    };
    let ((), revision) = tokio::try_join!(runner.run(|_| ()), stored)?;
    println!("stored: milk, revision {revision}");
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
