//! The kinds of faults, by the names that the command line and the report use.

macro_rules! kinds {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        pub enum Kind { $(#[doc = $doc] $variant,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    Drop "drop" "A frame is lost on its way.",
    Delay "delay" "Frames take longer.",
    Duplicate "duplicate" "A frame arrives twice.",
    Reorder "reorder" "A frame overtakes others.",
    Cut "cut" "A socket is closed.",
    HalfOpen "half-open" "A socket carries nothing any more and does not say so.",
    SlowReader "slow-reader" "A device reads slowly.",
    StalledConsumer "stalled-consumer" "A device stops reading.",
    OneByte "one-byte" "A socket takes one byte at a time.",
    RelayRestart "relay-restart" "The relay forgets everything.",
    RelayReplay "relay-replay" "The relay gives out an old capture.",
    RelaySplice "relay-splice" "The relay gives one link what belongs to another.",
    RelayLiesPresence "relay-lies-presence" "The relay says that a peer came or went.",
    RelayLiesIds "relay-lies-ids" "The relay gives a wrong attachment id.",
    RelayForgesUnknownKey "relay-forges-unknown-key" "The relay forges `UNKNOWN_KEY`.",
    RelayReflects "relay-reflects" "The relay gives a device what it sent itself.",
    RelayCorrupts "relay-corrupts" "The relay changes a byte.",
    RelayGarbage "relay-garbage" "The relay sends bytes of its own.",
    CrashPhoneBefore "crash-phone-before-commit" "The phone's power fails before a commit.",
    CrashPhoneAfter "crash-phone-after-commit" "The phone's power fails after a commit, before anything is sent.",
    CrashWebBefore "crash-web-before-commit" "The companion's power fails before a commit.",
    CrashWebAfter "crash-web-after-commit" "The companion's power fails after a commit, before anything is sent.",
    LostUnsyncedPhone "lost-unsynced-phone" "The phone's power fails; what was not synced is gone.",
    LostUnsyncedWeb "lost-unsynced-web" "The companion's power fails; what was not synced is gone.",
    DiskFullPhone "disk-full-phone" "The phone's disk takes nothing.",
    DiskFullWeb "disk-full-web" "The companion's disk takes nothing.",
    SlowDisk "slow-disk" "A device's disk takes long for a commit; what arrives meanwhile waits for the next.",
    LostSwapPhone "lost-swap-phone" "Someone else wrote a link's version at the phone.",
    LostSwapWeb "lost-swap-web" "Someone else wrote the link's version at the companion.",
    ClockBack "clock-back" "The wall clock goes back a day.",
    ClockForward "clock-forward" "The wall clock goes forward ten years.",
    Asleep "asleep" "The device sleeps for eight hours.",
    HiddenTab "hidden-tab" "Timers fire once a minute.",
    CopiedProfile "copied-profile" "The companion's directory is copied, and both are used.",
    TwoProcesses "two-processes" "Two companions run on one directory.",
    RolledBackPhone "phone-rolled-back" "The phone gets an older state of itself.",
    RolledBackWeb "web-rolled-back" "The companion's disk loses commits that it had confirmed.",
    RowsLost "rows-lost" "The companion's mirror loses rows, and its link knows nothing of it.",
    ThreePhones "three-phones" "Three phones scan one code.",
    EpochsApart "epochs-apart" "The two ends of a session disagree on its epochs, as after a RESET that was cut.",
    Revoke "revoke" "The user revokes a companion.",
    Reload "reload" "The page is loaded anew.",
    VersionMix "version-mix" "The relay offers other versions too.",
    GreaseMix "grease-mix" "The relay sends frames and fields that nobody knows.",
    EvilWeb "evil-web" "A companion with real keys sends any inner record.",
    FutureAck "future-ack" "A phone acknowledges what it never got, and its socket is lost.",
    OfferCancelled "offer-cancelled" "The phone's user ends an attempt, or an offer that the companion may have accepted.",
    OfferLapses "offer-lapses" "An offer is ten minutes old at the phone, or nearly.",
    UploadQuota "upload-quota" "A link has nearly its share of uploads without a message, and sends more.",
    DiskReserve "disk-reserve" "The phone's disk has little more than its reserve, and a companion sends more.",
    BetweenCodes "between-codes" "A man pairs with both sides, and shows the phone's user a code of his own.",
    EvilPhone "evil-phone" "A phone with real keys sends any inner record.",
}

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Whether both sides keep what they have confirmed, so that a session has no reason to begin anew.
    #[must_use]
    pub const fn loses_nothing(self) -> bool {
        !matches!(
            self,
            Self::LostSwapPhone
                | Self::LostSwapWeb
                | Self::CopiedProfile
                | Self::TwoProcesses
                | Self::RolledBackPhone
                | Self::RolledBackWeb
                | Self::EpochsApart
                | Self::Revoke
                | Self::EvilWeb
                | Self::EvilPhone
                | Self::FutureAck
        )
    }

    /// Whether it meets a pairing, or nothing.
    #[must_use]
    pub const fn needs_pairing(self) -> bool {
        matches!(self, Self::ThreePhones | Self::OfferCancelled | Self::OfferLapses | Self::BetweenCodes)
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Its place among all.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
