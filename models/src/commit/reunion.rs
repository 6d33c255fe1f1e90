//! What becomes of what is stored: both programs start again, and nothing more goes wrong.

use std::time::Duration;

use handfast_codec::DeviceRole;
use handfast_session::testing::AnyEndpoint;
use handfast_session::{LinkRows, LinkStatus};
use handfast_testkit::Clocked as _;
use handfast_testkit::host::{Bare, Host, LOG};
use handfast_testkit::net::{Net, START};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// How long they have to find one another.
const TIME_MAX: Duration = Duration::from_mins(5);

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Linked on both sides and LIVE.
    Both,
    /// Linked on neither; what waits as OFFERED or PENDING is dropped after 24 hours.
    Neither,
    /// Linked on one side, for good.
    OneSided,
}

type Device = Host<Bare<AnyEndpoint>>;

/// Opens what is stored, as a program does when it starts.
fn start(role: DeviceRole, rows: &LinkRows, rng: &mut ChaCha20Rng) -> Option<Device> {
    let endpoint = AnyEndpoint::load(role, rows, LOG, START, rng).ok()?;
    Some(Host::bare(role, endpoint, rows.clone(), START))
}

/// What is stored of a link.
pub(super) fn status(role: DeviceRole, rows: &LinkRows) -> Option<LinkStatus> {
    start(role, rows, &mut ChaCha20Rng::seed_from_u64(4)).map(|device| device.machine.status())
}

/// Lets the two stores meet.
pub(super) fn outcome(phone: &LinkRows, web: &LinkRows) -> Outcome {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let is_active = |device: &Device| device.machine.status() == LinkStatus::Active;
    let phone = start(DeviceRole::Phone, phone, &mut rng);
    match (phone, start(DeviceRole::Web, web, &mut rng)) {
        (Some(phone), Some(web)) => {
            let mut net = Net::with(phone, web, START, rng);
            let end = START.plus(TIME_MAX);
            net.settle();
            while !net.is_live()
                && let Some(at) = net.next_deadline().filter(|at| *at <= end)
            {
                net.step_to(at);
            }
            match (is_active(&net.phone), is_active(&net.web)) {
                (true, true) if net.is_live() => Outcome::Both,
                (false, false) => Outcome::Neither,
                _ => Outcome::OneSided,
            }
        }
        (Some(one), None) | (None, Some(one)) if is_active(&one) => Outcome::OneSided,
        _ => Outcome::Neither,
    }
}
