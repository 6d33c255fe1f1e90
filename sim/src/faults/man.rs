//! A man between two codes: he shows the phone's user a code of his own, scans the one that the companion shows, and
//! types on both of his sides what he knows. Users type what they see on their own screens.

use handfast::DeviceRole;
use handfast::codec::ids::CompanionId;
use reference_phone::app::ScanStep;
use reference_web::app::AppEvent;

use crate::disk::Disk;
use crate::kind::Kind;
use crate::node::{Node, NodeId};
use crate::plan::Fault;
use crate::rng::SimRng;
use crate::world::World;

/// The invariant's name.
const BETWEEN: &str = "no-man-between";

/// Somebody between the phone and a companion.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what his screens ask, and how far he is")]
pub struct Man {
    /// The companion.
    pub web: usize,
    /// What the phone takes for the companion.
    page: NodeId,
    /// What the companion takes for the phone.
    phone: NodeId,
    /// The code that he shows.
    code: Option<String>,
    /// The four digits of the phone's leg, which his page shows him.
    digits: Option<String>,
    /// The two digits of the companion's leg, which his phone shows him.
    number: Option<String>,
    /// The companion's code that he scanned.
    scanned: Option<String>,
    /// The phone scanned his.
    is_scanned: bool,
    /// What his phone and his page ask for.
    wants_digits: bool,
    wants_approval: bool,
    wants_number: bool,
    /// The phone's user believes his page, and types its digits.
    is_believed: bool,
    /// What the phone's user typed into the phone, and into the companion.
    typed: (Option<String>, Option<String>),
    /// He was seen, or gives up.
    is_over: bool,
    is_gone: bool,
}

fn node(world: &mut World, role: DeviceRole, name: &str) -> Option<NodeId> {
    let number = world.nodes.len();
    let rng = SimRng::new(world.plan.seed, 3_000 + u64::try_from(number).unwrap_or(0));
    let key = [u8::try_from(number % 251).unwrap_or(0) ^ 0x3c; 32];
    let disk = Disk::new(&world.base, key).ok()?;
    let mut node = Node::new(role, name.to_owned(), disk, rng);
    if role == DeviceRole::Phone {
        node.create_account(1, 1).ok()?;
    }
    world.nodes.push(node);
    world.start(NodeId(number));
    Some(NodeId(number))
}

/// A fault begins: the man stands before a companion that is not linked yet.
pub fn begin(world: &mut World, fault: &Fault) {
    let is_free = |web: &usize| {
        world.ledger.webs.get(*web).is_some_and(|view| view.companion.is_none())
            && world.men.iter().all(|man| man.web != *web || man.is_gone)
            && world.ledger.phone.scanning != Some(*web)
    };
    let Some(web) = std::iter::once(fault.web).chain(0..world.plan.webs).find(is_free) else { return };
    let Some(page) = node(world, DeviceRole::Web, &format!("man-page{web}")) else { return };
    let Some(phone) = node(world, DeviceRole::Phone, &format!("man-phone{web}")) else { return };
    world.men.push(Man {
        web,
        page,
        phone,
        code: None,
        digits: None,
        number: None,
        scanned: None,
        is_scanned: false,
        wants_digits: false,
        wants_approval: false,
        wants_number: false,
        is_believed: fault.amount.is_multiple_of(2),
        typed: (None, None),
        is_over: false,
        is_gone: false,
    });
    let time = world.nodes[page.0].clocks(world.now);
    if let Some((app, rng)) = world.nodes[page.0].web_user() {
        // He is not linked.
        let _ = app.pair(time.mono, rng);
    }
    let _ = world.run(page);
}

/// Who stands before a companion.
fn before(world: &mut World, web: usize) -> Option<&mut Man> {
    world.men.iter_mut().find(|man| man.web == web && !man.is_over)
}

/// Whether a companion is, or was, talked to by somebody else than the phone.
#[must_use]
pub fn was_before(world: &World, web: usize) -> bool {
    world.men.iter().any(|man| man.web == web)
}

/// The code that the phone's user finds: the companion's, or that of the man who stands before it.
pub fn code(world: &mut World, web: usize) -> Option<String> {
    match before(world, web) {
        Some(man) => man.code.clone(),
        None => world.ledger.webs[web].code.clone(),
    }
}

/// The phone's user has scanned a code of this companion, or what was in its place.
pub fn phone_scans(world: &mut World, web: usize) {
    if let Some(man) = before(world, web) {
        man.is_scanned = true;
    }
}

/// The digits that the phone's user is going to type, given those that the companion shows.
pub fn digits(world: &mut World, web: usize, shown: String) -> String {
    let Some(man) = before(world, web).filter(|man| man.is_scanned) else { return shown };
    let believed = man.digits.clone().filter(|_| man.is_believed);
    let typed = believed.unwrap_or(shown);
    man.typed.0 = Some(typed.clone());
    world.ledger.fire(Kind::BetweenCodes);
    typed
}

/// The companion's user is going to type this number.
pub fn number(world: &mut World, web: usize, typed: &str) {
    if let Some(man) = before(world, web) {
        man.typed.1 = Some(typed.to_owned());
    }
}

/// The phone asks its user to approve whom it has scanned.
pub fn phone_asks(world: &mut World) {
    let Some(web) = world.ledger.phone.scanning else { return };
    let Some(man) = before(world, web).filter(|man| man.is_scanned) else { return };
    if man.typed.0 != man.digits {
        let detail = format!("the phone asks for a man's page: {:?}, not {:?}", man.typed.0, man.digits);
        world.ledger.violation(BETWEEN, detail);
    }
}

/// The phone's attempt is over: if it was with a man, he has no more to do.
pub fn phone_is_done(world: &mut World) {
    let Some(web) = world.ledger.phone.scanning else { return };
    if let Some(man) = before(world, web).filter(|man| man.is_scanned) {
        man.is_over = true;
    }
}

/// Whether the link on a companion's disk is with a man's phone.
#[must_use]
pub fn owns(world: &World, web: usize, companion: CompanionId) -> bool {
    world.men.iter().filter(|man| man.web == web).any(|man| {
        let sql = "SELECT 1 FROM companions WHERE companion = ?1";
        let disk = world.nodes[man.phone.0].disk.look();
        disk.query_row(sql, [companion.as_bytes()], |_| Ok(())).is_ok()
    })
}

/// A companion that has stored a link with a man's phone had its number typed. Its user sees the wrong chats, and logs
/// out.
fn look_at_link(world: &mut World, web: usize) {
    let Some(companion) = world.nodes[world.web_node(web).0].disk.companion(false) else { return };
    if !owns(world, web, companion) {
        return;
    }
    let by_chance = |man: &Man| man.web == web && man.typed.1.is_some() && man.typed.1 == man.number;
    if !world.men.iter().any(by_chance) {
        world.ledger.violation(BETWEEN, format!("companion {web} has a link with a man's phone"));
    }
    world.log_out(web);
}

/// The users look at their screens, and the man at his.
pub fn looks(world: &mut World) {
    for at in 0..world.men.len() {
        let web = world.men[at].web;
        if !world.men[at].is_gone {
            look_at_link(world, web);
        }
        if world.men[at].is_over {
            go(world, at);
        } else {
            scan(world, at);
            answer(world, at);
        }
    }
}

fn go(world: &mut World, at: usize) {
    if !std::mem::replace(&mut world.men[at].is_gone, true) {
        let (page, phone) = (world.men[at].page, world.men[at].phone);
        world.crash(page, false);
        world.crash(phone, false);
    }
}

/// His phone scans what the companion shows.
fn scan(world: &mut World, at: usize) {
    let (web, id) = (world.men[at].web, world.men[at].phone);
    let Some(text) = world.ledger.webs[web].code.clone() else { return };
    if world.men[at].scanned.as_ref() == Some(&text) {
        return;
    }
    let time = world.nodes[id.0].clocks(world.now);
    let scans = world.nodes[id.0].phone_user().is_some_and(|(app, rng)| app.scan(time, rng, &text).is_ok());
    if scans {
        world.men[at].scanned = Some(text);
        let _ = world.run(id);
    }
}

/// He types what he knows of both legs, and approves.
fn answer(world: &mut World, at: usize) {
    let (web, page, phone) = (world.men[at].web, world.men[at].page, world.men[at].phone);
    let time = world.nodes[phone.0].clocks(world.now);
    if world.men[at].wants_digits
        && let Some(digits) = world.ledger.webs[web].digits.clone()
    {
        world.men[at].wants_digits = false;
        if let Some(app) = world.nodes[phone.0].phone() {
            let _ = app.enter_check_code(time, &digits);
        }
        let _ = world.run(phone);
    }
    if std::mem::take(&mut world.men[at].wants_approval) {
        if let Some((app, rng)) = world.nodes[phone.0].phone_user() {
            let _ = app.approve(time, rng, true);
        }
        let _ = world.run(phone);
    }
    if world.men[at].wants_number
        && let Some(number) = world.ledger.phone.nn.clone()
    {
        world.men[at].wants_number = false;
        let time = world.nodes[page.0].clocks(world.now);
        if let Some(app) = world.nodes[page.0].web() {
            let _ = app.enter_number(time.mono, &number);
        }
        let _ = world.run(page);
    }
}

/// His page tells him something.
pub fn page_tells(world: &mut World, id: NodeId, event: &AppEvent) {
    let Some(man) = world.men.iter_mut().find(|man| man.page == id) else { return };
    match event {
        // The first one is on his screen until it is scanned.
        AppEvent::Code { text } if !man.is_scanned => man.code = Some(text.clone()),
        AppEvent::CheckCode(digits) => man.digits = Some(digits.clone()),
        AppEvent::NumberWanted { .. } => man.wants_number = true,
        _ => {}
    }
}

/// His phone asks him something.
pub fn phone_tells(world: &mut World, id: NodeId, step: ScanStep) {
    let Some(man) = world.men.iter_mut().find(|man| man.phone == id) else { return };
    match step {
        ScanStep::CheckCodeWanted => man.wants_digits = true,
        ScanStep::ApprovalWanted { .. } => man.wants_approval = true,
        ScanStep::ShowConfirmation(number) => man.number = Some(number),
        ScanStep::Ended { .. } => man.scanned = None,
        _ => {}
    }
}

/// They go away.
pub fn end(world: &mut World) {
    for at in 0..world.men.len() {
        world.men[at].is_over = true;
        go(world, at);
    }
}
