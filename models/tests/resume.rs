//! The searches over resume.

use handfast_models::resume::Resume;
use handfast_models::search;

const IN_STEP: [u8; 4] = [1, 2, 2, 1];
const PLAIN: Resume = Resume { epochs: IN_STEP, commands: 3, cuts: 2, crashes: 1, rollback: false };

#[test]
fn a_session_resumes_or_begins_anew_and_loses_nothing() {
    // req: RES-026, RES-030, RES-020
    // Two of the ways in which `resume_epoch.py` begins.
    for epochs in [[9, 2, 2, 1], [1, 2, 7, 6]] {
        search(&format!("epochs {epochs:?}"), Resume { epochs, ..PLAIN }, &[], None);
    }
    let rollback = Resume { cuts: 1, crashes: 0, rollback: true, ..PLAIN };
    search("a phone that gets an older state of itself", rollback, &[], None);
}
