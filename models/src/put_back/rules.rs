//! The rules, each of which can be taken out.

/// Which rules hold.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one rule")]
pub struct Rules {
    /// A phone knows a command by its key, and a result names it (RES-026, RES-030); else both go by the number.
    pub key: bool,
    /// A web was put back when its next number is not above the highest that the phone knows (RES-033).
    pub by_next: bool,
    /// A web was put back when its own command of that number has another key (RES-033).
    pub by_key: bool,
    /// A web was put back when the verdict shows it: it lacks what it had confirmed, or what it had sent (RES-033). No
    /// property of this model needs it.
    pub by_verdict: bool,
    /// A web keeps the keys of its settled commands for that (RES-039).
    pub own_keys: bool,
    /// A web that was put back renumbers what waits (RES-037).
    pub renumber: bool,
    /// Their floor is the first of the new numbers (RES-037).
    pub new_floor: bool,
    /// A phone that may have forgotten what waits ends the link (RES-038).
    pub forgotten: bool,
    /// What a phone tells as `from` holds also when the floor is raised above all that it knows, as RES-037 does (RES-032).
    pub from_holds: bool,
    /// The confirm says that the web was put back (RES-033, RES-034).
    pub told: bool,
    /// Such a confirm is a RESET (RES-034).
    pub reset: bool,
    /// A web says it again in each confirm, until a record shows that the phone has read one (RES-033, RES-042).
    pub told_again: bool,
    /// A web sends a settled command no more on RESET (RES-017).
    pub settled_rows_go: bool,
    /// `LACK_W2P` shows a phone that was put back (RES-040).
    pub lack_is_back: bool,
    /// Each side stores that the phone was put back, the phone when it answers, until its user is told (RES-042).
    pub phone_stored: bool,
    /// Only a web whose key the phone holds, as current or as candidate, connects (HSK-023, HSK-043); else every copy does.
    pub ratchet: bool,
}

impl Rules {
    /// All of them.
    pub const ALL: Self = Self {
        key: true,
        by_next: true,
        by_key: true,
        by_verdict: true,
        own_keys: true,
        renumber: true,
        new_floor: true,
        forgotten: true,
        from_holds: true,
        told: true,
        reset: true,
        told_again: true,
        settled_rows_go: true,
        lack_is_back: true,
        phone_stored: true,
        ratchet: true,
    };
}
