//! What the chapters share: the programs, the ledger, the table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::processes::build::Programs;
use crate::processes::devices::{self, Device, Kind};
use crate::processes::keeper::Keeper;
use crate::processes::ledger::Ledger;
use crate::processes::table::Table;

/// The size of the photos that are sent, in bytes.
pub(crate) const PHOTO_LEN: usize = 5 * 1024 * 1024;
/// The time in which something that was asked for must have happened, programs restarting included.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// The companions besides the first: ten in all.
pub(crate) const OTHERS: [&str; 9] = [
    "laptop",
    "companion-3",
    "companion-4",
    "companion-5",
    "companion-6",
    "companion-7",
    "companion-8",
    "companion-9",
    "companion-10",
];
/// The number of chats of the built-in demo network.
pub(crate) const CHATS: u64 = 20;

/// Who asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Phone,
    Web,
    /// One of [`World::others`], by its name.
    Other(&'static str),
}

impl By {
    /// Returns the word in the ledger.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Web => "web",
            Self::Other(name) => name,
        }
    }
}

/// All parts of the story.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) relay: Device,
    pub(crate) phone: Device,
    pub(crate) web: Device,
    /// Companions besides `web` that are linked to the phone, each with its companion id; not all of them run.
    pub(crate) others: Vec<(Device, String)>,
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
            others: Vec::new(),
            ledger,
            table: Table::new(),
            root: root.to_owned(),
            programs: programs.clone(),
            companion: String::new(),
            relay_name,
            keeper,
        })
    }

    /// Returns the name of the relay, which is its address.
    pub(crate) fn relay_name(&self) -> &str {
        &self.relay_name
    }

    /// The address of the relay's page.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.relay_name)
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
        self.others.iter_mut().for_each(|(device, _)| device.kill());
        self.relay.kill();
    }

    /// Starts again whatever has ended, but for the other companions, which are started when they are needed.
    ///
    /// # Errors
    /// A program does not become ready.
    pub(crate) fn ensure_running(&mut self) -> Result<()> {
        self.relay.ensure_running()?;
        self.phone.ensure_running()?;
        self.web.ensure_running()
    }

    /// Returns a device by who uses it.
    ///
    /// # Errors
    /// No such companion is linked.
    pub(crate) fn at(&self, by: By) -> Result<&Device> {
        match by {
            By::Phone => Ok(&self.phone),
            By::Web => Ok(&self.web),
            By::Other(name) => {
                let found = self.others.iter().find(|(device, _)| device.name() == name);
                Ok(&found.with_context(|| format!("{name} is not linked"))?.0)
            }
        }
    }

    /// Starts the device of `by` if it has ended.
    ///
    /// # Errors
    /// It does not become ready, or is not linked.
    pub(crate) fn ensure_running_at(&mut self, by: By) -> Result<()> {
        match by {
            By::Phone => self.phone.ensure_running(),
            By::Web => self.web.ensure_running(),
            By::Other(name) => {
                let found = self.others.iter_mut().find(|(device, _)| device.name() == name);
                found.with_context(|| format!("{name} is not linked"))?.0.ensure_running()
            }
        }
    }

    /// Returns the linked companions as the comparison names them, the first one included.
    pub(crate) fn companions(&self) -> impl Iterator<Item = (By, &Device)> {
        let others = self.others.iter().filter_map(|(device, _)| {
            let name = OTHERS.into_iter().find(|name| *name == device.name())?;
            Some((By::Other(name), device))
        });
        std::iter::once((By::Web, &self.web)).chain(others)
    }
}
