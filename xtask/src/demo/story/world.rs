//! What the chapters share: the programs, the ledger, the table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::demo::build::Programs;
use crate::demo::devices::{self, Device, Kind};
use crate::demo::keeper::Keeper;
use crate::demo::ledger::Ledger;
use crate::demo::table::Table;

/// The size of the photos that are sent, in bytes.
pub(crate) const PHOTO_LEN: usize = 5 * 1024 * 1024;
/// The time in which something that was asked for must have happened, programs restarting included.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// The number of chats of the built-in demo network.
pub(crate) const CHATS: u64 = 20;

/// Who asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Phone,
    Web,
}

impl By {
    /// Returns the word in the ledger.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Web => "web",
        }
    }
}

/// All parts of the story.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) relay: Device,
    pub(crate) phone: Device,
    pub(crate) web: Device,
    /// A second computer and its companion id, linked for a while.
    pub(crate) laptop: Option<(Device, String)>,
    pub(crate) ledger: Ledger,
    pub(crate) table: Table,
    pub(crate) keeper: Keeper,
    pub(crate) root: PathBuf,
    programs: Programs,
    relay_name: String,
    /// The id under which the phone knows the companion.
    pub(crate) companion: String,
}

impl World {
    /// Makes directories and ledger below `root`; starts nothing yet but the keeper.
    ///
    /// # Errors
    /// `root` was used before or cannot be written.
    pub(crate) fn new(programs: &Programs, root: &Path) -> Result<Self> {
        let ledger = Ledger::create(&root.join("ledger.jsonl"))?;
        let keeper = Keeper::start()?;
        let relay_name = format!("127.0.0.1:{}", devices::free_port()?);
        let device = |kind, name| Device::new(kind, name, root, programs, &relay_name, &keeper);
        Ok(Self {
            relay: device(Kind::Relay, "relay")?,
            phone: device(Kind::Phone, "phone")?,
            web: device(Kind::Web, "companion")?,
            laptop: None,
            ledger,
            table: Table::new(),
            root: root.to_owned(),
            programs: programs.clone(),
            companion: String::new(),
            relay_name,
            keeper,
        })
    }

    /// Makes one more device with a fresh directory.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub(crate) fn device(&self, kind: Kind, name: &str) -> Result<Device> {
        Device::new(kind, name, &self.root, &self.programs, &self.relay_name, &self.keeper)
    }

    /// Ends every process of the story.
    pub(crate) fn end_all(&mut self) {
        self.web.kill();
        self.phone.kill();
        self.laptop = None;
        self.relay.kill();
    }

    /// Starts again whatever has ended.
    ///
    /// # Errors
    /// A program does not become ready.
    pub(crate) fn ensure_running(&mut self) -> Result<()> {
        self.relay.ensure_running()?;
        self.phone.ensure_running()?;
        self.web.ensure_running()
    }

    /// Returns a device by who uses it.
    pub(crate) fn at(&self, by: By) -> &Device {
        if by == By::Web { &self.web } else { &self.phone }
    }

    /// Returns a device by who uses it.
    pub(crate) fn at_mut(&mut self, by: By) -> &mut Device {
        if by == By::Web { &mut self.web } else { &mut self.phone }
    }
}
