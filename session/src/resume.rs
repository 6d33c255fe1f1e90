//! The verdict of a reconnect: whether the session continues or starts again (spec, delivery, *Resume*).
//!
//! It is a pure function of the two resume blocks as sent, so that both sides reach the same verdict.

use handfast_codec::payload::ResumeBlock;
use handfast_codec::role::DeviceRole;

/// Why a session starts again: the first reason that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetReason {
    /// The companion's outgoing epoch differs from the phone's incoming one.
    EpochW2p,
    /// The phone's outgoing epoch differs from the companion's incoming one.
    EpochP2w,
    /// The companion no longer has a message that the phone has not received.
    LackW2p,
    /// The phone has a message that the companion has not sent.
    FutureW2p,
    /// The phone no longer has a message that the companion has not received.
    LackP2w,
    /// The companion has a message that the phone has not sent.
    FutureP2w,
    /// The companion knows a revision above the newest one in the phone's log: the phone was put back to an
    /// earlier state.
    LogBack,
    /// The companion was put back to an earlier state, as its confirm says: the phone knows commands that the
    /// companion does not know, or knows others under the same numbers.
    WebBack,
}

/// Whether a session continues after a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third verdict")]
pub enum Verdict {
    /// The session continues with its epochs, messages and streams.
    Resume,
    /// The session starts again in new epochs, for this reason.
    Reset(ResetReason),
}

impl Verdict {
    /// Returns the side that this verdict shows to be put back to an earlier state, if any.
    #[must_use]
    pub const fn put_back(self) -> Option<DeviceRole> {
        match self {
            // The companion lacks something that it has confirmed or sent before.
            // req: RES-040
            Self::Reset(ResetReason::WebBack | ResetReason::FutureW2p | ResetReason::LackP2w) => {
                Some(DeviceRole::Web)
            }
            Self::Reset(ResetReason::LackW2p | ResetReason::FutureP2w | ResetReason::LogBack) => {
                Some(DeviceRole::Phone)
            }
            Self::Reset(ResetReason::EpochW2p | ResetReason::EpochP2w) | Self::Resume => None,
        }
    }
}

/// Returns the verdict from the companion's and the phone's resume block.
#[must_use]
pub fn verdict(web: &ResumeBlock, phone: &ResumeBlock) -> Verdict {
    // If a block was changed after it was sent, the two sides would reach different verdicts.
    // req: RES-020
    let reasons = [
        (web.out_epoch != phone.in_epoch, ResetReason::EpochW2p),
        (phone.out_epoch != web.in_epoch, ResetReason::EpochP2w),
        (lacks(web, phone), ResetReason::LackW2p),
        (is_ahead(web, phone), ResetReason::FutureW2p),
        (lacks(phone, web), ResetReason::LackP2w),
        (is_ahead(phone, web), ResetReason::FutureP2w),
        (web.log_id == phone.log_id && web.rev > phone.rev, ResetReason::LogBack),
    ];
    reasons
        .into_iter()
        .find_map(|(holds, reason)| holds.then_some(Verdict::Reset(reason)))
        .unwrap_or(Verdict::Resume)
}

/// Returns whether the sender no longer has the next message that the receiver needs.
fn lacks(sender: &ResumeBlock, receiver: &ResumeBlock) -> bool {
    sender.oldest > receiver.durable.saturating_add(1)
}

/// Returns whether the receiver has a message that the sender has not sent.
fn is_ahead(sender: &ResumeBlock, receiver: &ResumeBlock) -> bool {
    receiver.durable >= sender.next_seq
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use handfast_codec::ids::{Epoch, LogId};

    fn block(out: u8, inn: u8, next_seq: u64, durable: u64, oldest: u64) -> ResumeBlock {
        ResumeBlock {
            out_epoch: Epoch::from_bytes([out; 16]),
            in_epoch: Epoch::from_bytes([inn; 16]),
            next_seq,
            durable,
            oldest,
            log_id: LogId::from_bytes([0; 16]),
            rev: 0,
            streams: Vec::new(),
        }
    }

    #[test]
    fn each_reason_is_found_and_the_first_one_wins() {
        // req: RES-020
        let web = || block(1, 2, 5, 3, 4);
        let phone = || block(2, 1, 4, 3, 4);
        assert_eq!(verdict(&web(), &phone()), Verdict::Resume);
        let at = |rev, log: u8| ResumeBlock { rev, log_id: LogId::from_bytes([log; 16]), ..web() };
        let of_phone = ResumeBlock { rev: 7, ..phone() };
        assert_eq!(verdict(&at(7, 0), &of_phone), Verdict::Resume);
        assert_eq!(verdict(&at(8, 1), &of_phone), Verdict::Resume, "revisions of another log");
        let cases = [
            (block(9, 2, 5, 3, 4), phone(), ResetReason::EpochW2p),
            (block(1, 9, 5, 3, 4), phone(), ResetReason::EpochP2w),
            (block(1, 2, 6, 3, 5), phone(), ResetReason::LackW2p),
            (web(), block(2, 1, 4, 5, 4), ResetReason::FutureW2p),
            (web(), block(2, 1, 9, 3, 5), ResetReason::LackP2w),
            (block(1, 2, 5, 4, 4), phone(), ResetReason::FutureP2w),
            (block(9, 9, 6, 9, 5), block(2, 1, 4, 9, 9), ResetReason::EpochW2p),
            (ResumeBlock { rev: 8, ..web() }, ResumeBlock { rev: 7, ..phone() }, ResetReason::LogBack),
        ];
        for (web, phone, reason) in cases {
            assert_eq!(verdict(&web, &phone), Verdict::Reset(reason));
        }
    }
}
