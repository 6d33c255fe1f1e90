//! What a pairing has stored, opened as after a start.

use handfast_codec::DeviceRole;

use crate::couple::Couple;
use crate::world::World;
use crate::world::device::Device;

/// Opens both stored links, and runs them until they are live.
pub(crate) fn run_stored(couple: Couple) -> World {
    let Couple { now, phone, web, mut rng, .. } = couple;
    let phone = Device::new(DeviceRole::Phone, phone.disk, now, &mut rng);
    let web = Device::new(DeviceRole::Web, web.disk, now, &mut rng);
    let mut world = World::with(phone, web, now, rng);
    world.run_until_live();
    world
}
