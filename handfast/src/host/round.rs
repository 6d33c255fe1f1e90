//! One round: everything that the inputs caused is stored, in one transaction after another, and then
//! returned as outputs.

use alloc::vec::Vec;

use handfast_codec::Timestamp;
use handfast_session::{Commit, Event, Output as Step, PairingEvent, PairingOutput};
use rand_core::CryptoRng;

use super::{Application, AttemptId, AttemptOf, Incomplete, LinkOf, Output, Owner};

/// The result of a round.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "both parts matter to a driver")]
pub struct Settled<E, F> {
    /// The actions for the driver, in order.
    pub outputs: Vec<Output<E>>,
    /// The reason why nothing of this round was stored, if so. Then all requests of the round must be made
    /// again.
    pub failure: Option<F>,
}

/// Stores what the inputs since the last call caused, and returns the actions for the driver.
///
/// When the store fails, the outputs that depend on the failed transaction are dropped. The program pauses
/// without any connection, and loads what is stored when the pause is over. While the disk is full, it keeps
/// pausing until there is space.
///
/// # Errors
///
/// [`Application::Error`] when waiting cannot repair the failure: the process should end. All outputs
/// returned before are durable.
pub fn settle<P: Application>(
    app: &mut P,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Result<Settled<P::Event, P::Error>, P::Error> {
    let host = app.host();
    (host.stored, host.out_durable) = (false, 0);
    let failure = match round(app, now, rng) {
        Ok(()) => None,
        Err(error) if P::is_final(&error) => return Err(error),
        #[cfg(feature = "testing")]
        Err(error) if app.host().faults.death.is_some() => return Err(error),
        Err(error) => {
            let (lost, pause) = app.host().drop_machines(now);
            app.failed(now, lost, &error, pause);
            // The first transaction of a round contains all that was requested. If that transaction is
            // durable, so are the requests.
            Some(error).filter(|_| !app.host().stored)
        }
    };
    Ok(Settled { outputs: app.host().out.drain(..).collect(), failure })
}

fn round<P: Application>(app: &mut P, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), P::Error> {
    let host = app.host();
    if core::mem::take(&mut host.is_incomplete) {
        return Err(Incomplete.into());
    }
    if host.backoff.is_due(now) {
        host.backoff.end();
        app.load(now, rng)?;
    }
    loop {
        // No transaction is open at this point.
        let host = app.host();
        host.out_durable = host.out.len();
        let mut moved = app.run(now, rng)?;
        for id in app.host().attempts.keys().copied().collect::<Vec<_>>() {
            moved |= drain_attempt(app, now, id)?;
        }
        for id in app.host().links.keys().copied().collect::<Vec<_>>() {
            // The link is removed from the map while it runs, because the application may change the other
            // links during that.
            let Some(mut link) = app.host().links.remove(&id) else { continue };
            let drained = drain_link(app, now, rng, &mut link);
            #[cfg(feature = "key-log")]
            while let Some(line) = link.endpoint.poll_key_log() {
                app.log_key(&line);
            }
            drop(app.host().links.insert(id, link));
            moved |= drained?;
        }
        if commit(app, now)? {
            moved = true;
            let host = app.host();
            host.stored = true;
            host.backoff.stored();
        }
        report(app, now);
        end_attempts(app, now, rng)?;
        moved |= app.committed(now, rng)?;
        if !moved {
            return Ok(());
        }
    }
}

/// Makes the open transaction durable, unless a test wants it to fail. Returns whether there was one.
fn commit<P: Application>(app: &mut P, now: Timestamp) -> Result<bool, P::Error> {
    #[cfg(feature = "testing")]
    if app.host().fails_before_commit() {
        return Err(Incomplete.into());
    }
    let is_stored = app.commit(now)?;
    #[cfg(feature = "testing")]
    if app.host().fails_after_commit(is_stored) {
        return Err(Incomplete.into());
    }
    Ok(is_stored)
}

/// Drains one link. Lets the application do the work that needs a commit of the link's machine. Returns
/// whether anything happened.
fn drain_link<P: Application>(
    app: &mut P,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
    link: &mut LinkOf<P>,
) -> Result<bool, P::Error> {
    let mut moved = false;
    loop {
        match link.endpoint.poll_output() {
            Step::Persist(commit) => link.commits.push(commit),
            Step::Deliver { message, commit } => {
                link.commits.push(commit);
                app.deliver(now, rng, link, message)?;
            }
            Step::Transmit(bytes) => {
                let output = link.port.socket.map(|socket| Output::Transmit { socket, bytes });
                app.host().out.extend(output);
            }
            Step::Event(Event::Connect) => {
                let relay = link.endpoint.relay().clone();
                link.port.socket = Some(app.host().connect(Owner::Link(link.id()), relay));
            }
            Step::Event(Event::Disconnect) => app.host().disconnect(link.port.socket.take()),
            Step::Event(event) => app.on_event(now, link, event)?,
            Step::Wait(at) => {
                link.port.deadline = at;
                break;
            }
            _ => {}
        }
        moved = true;
    }
    moved |= app.drained(now, rng, link)?;
    // A commit that a call returned may be newer than one that was still in the machine's queue. The store
    // needs them in ascending order.
    link.commits.sort_by_key(Commit::expects);
    for commit in core::mem::take(&mut link.commits) {
        app.apply(now, None, &commit)?;
        link.port.applied.push_back(commit);
    }
    Ok(moved)
}

/// Drains one pairing attempt. Returns whether anything happened.
fn drain_attempt<P: Application>(app: &mut P, now: Timestamp, id: AttemptId) -> Result<bool, P::Error> {
    // The attempt is removed from the map while it runs, because the application may end the other attempts
    // during that.
    let Some(mut attempt) = app.host().attempts.remove(&id) else { return Ok(false) };
    let moved = drain_pairing(app, now, &mut attempt);
    #[cfg(feature = "key-log")]
    while let Some(line) = attempt.pairing.poll_key_log() {
        app.log_key(&line);
    }
    drop(app.host().attempts.insert(id, attempt));
    moved
}

fn drain_pairing<P: Application>(
    app: &mut P,
    now: Timestamp,
    attempt: &mut AttemptOf<P>,
) -> Result<bool, P::Error> {
    let mut moved = false;
    loop {
        match attempt.pairing.poll_output() {
            PairingOutput::Persist(commit) => {
                app.apply(now, Some(attempt), &commit)?;
                attempt.link = Some(commit.link());
                attempt.port.applied.push_back(commit);
            }
            PairingOutput::Transmit(bytes) => {
                let output = attempt.port.socket.map(|socket| Output::Transmit { socket, bytes });
                app.host().out.extend(output);
            }
            PairingOutput::Connect => {
                let relay = attempt.pairing.relay().clone();
                attempt.port.socket = Some(app.host().connect(Owner::Attempt(attempt.id()), relay));
            }
            PairingOutput::Disconnect => app.host().disconnect(attempt.port.socket.take()),
            PairingOutput::Event(event) => {
                match event {
                    PairingEvent::Linked(link) => attempt.ended = Some(Ok(link)),
                    PairingEvent::Ended(code) => attempt.ended = Some(Err(code)),
                    _ => {}
                }
                app.on_pairing_event(now, attempt, event)?;
            }
            PairingOutput::Wait(at) => {
                attempt.port.deadline = at;
                return Ok(moved);
            }
            _ => {}
        }
        moved = true;
    }
}

/// Reports to the machines that the commits of the transaction are durable.
fn report<P: Application>(app: &mut P, now: Timestamp) {
    let host = app.host();
    // A machine refuses only reports out of order or repeated, so it cannot refuse here.
    for link in host.links.values_mut() {
        while let Some(commit) = link.port.applied.pop_front() {
            let _ = link.endpoint.committed(now, commit);
        }
    }
    for attempt in host.attempts.values_mut() {
        while let Some(commit) = attempt.port.applied.pop_front() {
            attempt.stored = attempt.stored.saturating_add(1);
            let _ = attempt.pairing.committed(now, commit);
        }
    }
}

/// Passes the attempts that have ended to the application. If the application fails at one, that attempt is
/// put back into the host, so that [`Application::failed`] receives it.
fn end_attempts<P: Application>(
    app: &mut P,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Result<(), P::Error> {
    let over = |(id, attempt): (&AttemptId, &AttemptOf<P>)| attempt.ended.map(|ended| (*id, ended));
    for (id, ended) in app.host().attempts.iter().filter_map(over).collect::<Vec<_>>() {
        let Some(attempt) = app.host().remove_attempt(id) else { continue };
        let dealt_with = app.attempt_over(now, rng, &attempt, ended);
        if dealt_with.is_err() {
            drop(app.host().attempts.insert(id, attempt));
        }
        dealt_with?;
    }
    Ok(())
}
