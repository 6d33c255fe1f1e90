//! What may go wrong in each search, how far it goes, and what it must find.

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says what may go wrong")]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    pub(super) copy: bool,
    pub(super) restore: bool,
    /// A forged message 1 with this try, over a live candidate or not.
    pub(super) forge: Option<Forge>,
    pub(super) rollback: bool,
    pub(super) hint: bool,
    /// The relay keeps and replays messages; else each is delivered once or lost.
    pub(super) replay: bool,
    pub(super) try_max: u64,
    pub(super) made_max: u8,
    /// The properties that must fail.
    pub verdict: &'static [&'static str],
    /// How many states there are.
    pub states: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forge {
    HighestTry,
    NextTryOverCandidate,
}

const PLAIN: Scenario = Scenario {
    name: "",
    copy: false,
    restore: false,
    forge: None,
    rollback: false,
    hint: false,
    replay: true,
    try_max: 3,
    made_max: 4,
    verdict: &[],
    states: 0,
};

/// The searches.
pub const SCENARIOS: [Scenario; 7] = [
    Scenario { name: "crashes and a replaying relay", try_max: 4, made_max: 5, states: 2_196, ..PLAIN },
    Scenario {
        name: "the web's store loses its last write",
        rollback: true,
        verdict: &["FALSE_ALARM"],
        states: 1_382,
        ..PLAIN
    },
    Scenario { name: "the phone is restored from an older state", restore: true, states: 9_739, ..PLAIN },
    Scenario {
        name: "a forged message 1 with the highest try",
        forge: Some(Forge::HighestTry),
        states: 813,
        ..PLAIN
    },
    Scenario {
        name: "a forged message 1 over a live candidate",
        forge: Some(Forge::NextTryOverCandidate),
        states: 781,
        ..PLAIN
    },
    Scenario {
        name: "a copied store, two webs in turns",
        copy: true,
        replay: false,
        try_max: 4,
        made_max: 5,
        states: 733_055,
        ..PLAIN
    },
    Scenario { name: "forged hints, recovery exchanged", hint: true, states: 224_797, ..PLAIN },
];
