//! The handles by which other tasks use a tether that runs, and a pairing.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use handfast_codec::ids::{CommandKey, ContentId};
use handfast_codec::{RelayName, Timestamp};
use handfast_handshake::pairing::Claims;
use handfast_session::{ApiMisuse, Pairing, PairingEvent};
use rand_core::CryptoRng;
use tokio::sync::{mpsc, oneshot};

use super::{Companion, CompanionApp, Paired, Phone, PhoneApp, PhoneTxn, Role, Tether, TetherError, Txn};

/// Answers a caller once it is known whether the round of the call was stored.
pub(super) type Answer = Box<dyn FnOnce(Option<&TetherError>) + Send>;
pub(super) type Call<R> = Box<dyn FnOnce(&mut Tether<R>, Timestamp, &mut dyn CryptoRng) -> Answer + Send>;

/// What a handle asks of its runner.
pub(super) enum Request<R: Role> {
    Call(Call<R>),
    /// A call that begins a pairing, whose steps go to this channel in place of the program.
    Pair(Call<R>, mpsc::UnboundedSender<Step>),
    Close(oneshot::Sender<()>),
}

/// A step of a pairing.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a pairing goes on or ends")]
pub enum Step {
    /// Something for the user.
    Event(PairingEvent),
    /// The pairing has ended.
    Ended(Paired),
}

/// Uses a tether that runs in another task. It can be cloned and sent. When the last handle is gone, the
/// tether is closed.
///
/// ```
/// use handfast::tether::{Companion, CompanionApp, Handle, TetherError};
///
/// /// Every call returns when what it wrote is durable.
/// async fn order<A: CompanionApp + 'static>(companion: Handle<Companion<A>>) -> Result<(), TetherError> {
///     let key = companion.send("milk".into()).await?;
///     println!("{key:?} will run on the phone, once");
///     companion.close().await;
///     Ok(())
/// }
/// ```
pub struct Handle<R: Role> {
    requests: mpsc::Sender<Request<R>>,
}

impl<R: Role> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<R: Role> Handle<R> {
    pub(super) const fn new(requests: mpsc::Sender<Request<R>>) -> Self {
        Self { requests }
    }
}

impl<R: Role> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self { requests: self.requests.clone() }
    }
}

impl<R: Role + 'static> Handle<R> {
    /// Calls `call` with the tether, the time and the randomness that its functions take, and returns the
    /// result once everything that was written is durable.
    ///
    /// # Errors
    ///
    /// The error of `call`; [`TetherError::NotStored`] if the store failed, so that nothing of it was kept;
    /// [`TetherError::Closed`].
    pub async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Tether<R>, Timestamp, &mut dyn CryptoRng) -> Result<T, TetherError>
        + Send
        + 'static,
    ) -> Result<T, TetherError> {
        self.ask_to(call, Request::Call).await
    }

    async fn ask_to<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Tether<R>, Timestamp, &mut dyn CryptoRng) -> Result<T, TetherError>
        + Send
        + 'static,
        request: impl FnOnce(Call<R>) -> Request<R>,
    ) -> Result<T, TetherError> {
        let (sender, result) = oneshot::channel();
        let call: Call<R> = Box::new(move |tether, now, rng| {
            let result = call(tether, now, rng);
            Box::new(move |failure| {
                let stored = failure.map_or(Ok(()), |error| Err(TetherError::NotStored(error.to_string())));
                // The caller may have gone.
                let _ = sender.send(result.and_then(|value| stored.map(|()| value)));
            })
        });
        self.ask(request(call)).await?;
        result.await.map_err(|_| TetherError::Closed)?
    }

    /// Closes the tether and its sockets, and waits until that is done.
    pub async fn close(&self) {
        let (sender, closed) = oneshot::channel();
        if self.ask(Request::Close(sender)).await.is_ok() {
            // An error means that the runner has ended by itself.
            let _ = closed.await;
        }
    }

    async fn ask(&self, request: Request<R>) -> Result<(), TetherError> {
        self.requests.send(request).await.map_err(|_| TetherError::Closed)
    }

    /// Makes a call that begins a pairing, and follows that.
    async fn begin<T: Send + 'static>(
        &self,
        begin: impl FnOnce(&mut Tether<R>, Timestamp, &mut dyn CryptoRng) -> Result<T, TetherError>
        + Send
        + 'static,
    ) -> Result<(T, Attempt<R>), TetherError> {
        let (sender, steps) = mpsc::unbounded_channel();
        let value = self.ask_to(begin, |call| Request::Pair(call, sender)).await?;
        Ok((value, Attempt { handle: self.clone(), steps }))
    }
}

impl<A: PhoneApp + 'static> Handle<Phone<A>> {
    /// Runs `change` in a transaction of the phone, and returns its result once that is durable.
    ///
    /// # Errors
    ///
    /// As [`Tether::change`] and [`Handle::call`].
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut A, &mut PhoneTxn<'_, A::Event>) -> Result<T, TetherError> + Send + 'static,
    ) -> Result<T, TetherError> {
        self.call(|phone, _, _| phone.change(change)).await
    }

    /// Begins to pair with the companion that shows this code.
    ///
    /// # Errors
    ///
    /// As [`Tether::scan`] and [`Handle::call`].
    pub async fn pair(&self, code: &str) -> Result<Attempt<Phone<A>>, TetherError> {
        let code = code.to_owned();
        let ((), attempt) = self.begin(move |phone, now, rng| phone.scan(now, rng, &code)).await?;
        Ok(attempt)
    }
}

impl<A: CompanionApp + 'static> Handle<Companion<A>> {
    /// Runs `change` in a transaction of the companion, and returns its result once that is durable.
    ///
    /// # Errors
    ///
    /// As [`Tether::change`] and [`Handle::call`].
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut A, &mut Txn<'_, A::Event>) -> Result<T, TetherError> + Send + 'static,
    ) -> Result<T, TetherError> {
        self.call(|companion, _, _| companion.change(change)).await
    }

    /// Sends a command, as [`Tether::send`]. It is durable when this returns: the phone will run it exactly
    /// once, whatever is lost.
    ///
    /// # Errors
    ///
    /// As [`Tether::send`] and [`Handle::call`].
    pub async fn send(&self, body: Bytes) -> Result<CommandKey, TetherError> {
        self.call(move |companion, now, rng| companion.send(now, rng, &body)).await
    }

    /// Wants content at a path, as [`Tether::get`]. The wish is durable when this returns.
    ///
    /// # Errors
    ///
    /// As [`Tether::get`] and [`Handle::call`].
    pub async fn get(&self, content: ContentId, path: &Path) -> Result<(), TetherError> {
        let path = path.to_str().map(str::to_owned);
        let path = path.ok_or_else(|| TetherError::Input("the path is not UTF-8".to_owned()))?;
        self.call(move |companion, _, _| companion.get(content, &path)).await
    }

    /// Puts a file at the phone, as [`Tether::put`]. The wish is durable when this returns.
    ///
    /// # Errors
    ///
    /// As [`Tether::put`] and [`Handle::call`].
    pub async fn put(&self, path: &Path) -> Result<ContentId, TetherError> {
        let path = path.to_owned();
        self.call(move |companion, _, _| companion.put(&path)).await
    }

    /// Begins a pairing over this relay. Returns the text of the QR code to show, and the attempt.
    ///
    /// # Errors
    ///
    /// As [`Tether::show_code`] and [`Handle::call`].
    pub async fn pair(
        &self,
        relay: RelayName,
        claims: Claims,
    ) -> Result<(String, Attempt<Companion<A>>), TetherError> {
        self.begin(move |companion, now, rng| companion.show_code(now, rng, relay, claims)).await
    }
}

/// A pairing that runs, for the task that shows it to its user. The pairing goes on if this is dropped.
#[derive(Debug)]
pub struct Attempt<R: Role> {
    handle: Handle<R>,
    steps: mpsc::UnboundedReceiver<Step>,
}

impl<R: Role + 'static> Attempt<R> {
    /// Waits for the next step. [`Step::Ended`] is the last.
    ///
    /// # Errors
    ///
    /// [`TetherError::Closed`] if the tether was closed, or another pairing has begun since.
    pub async fn next(&mut self) -> Result<Step, TetherError> {
        self.steps.recv().await.ok_or(TetherError::Closed)
    }

    async fn enter(
        &self,
        enter: impl FnOnce(&mut Pairing, Timestamp) -> Result<(), ApiMisuse> + Send + 'static,
    ) -> Result<(), TetherError> {
        self.handle.call(|tether, now, _| Ok(enter(tether.pairing()?, now)?)).await
    }
}

impl<A: PhoneApp + 'static> Attempt<Phone<A>> {
    /// Checks the four digits that the companion shows and the user typed, after
    /// [`PairingEvent::CheckCodeWanted`].
    ///
    /// # Errors
    ///
    /// As [`Pairing::enter_check_code`] and [`Handle::call`].
    pub async fn enter_check_code(&self, digits: &str) -> Result<(), TetherError> {
        let digits = digits.to_owned();
        self.enter(move |pairing, now| pairing.enter_check_code(now, &digits)).await
    }

    /// Links the companion, because the user approved it after [`PairingEvent::ApprovalWanted`]. `grants` are
    /// the application's rights as bits.
    ///
    /// # Errors
    ///
    /// As [`Tether::approve`] and [`Handle::call`].
    pub async fn approve(&self, account_name: &str, grants: u64) -> Result<(), TetherError> {
        let name = account_name.to_owned();
        self.handle.call(move |phone, now, rng| phone.approve(now, rng, &name, grants)).await
    }

    /// Refuses the companion.
    ///
    /// # Errors
    ///
    /// As [`Handle::call`].
    pub async fn refuse(&self) -> Result<(), TetherError> {
        self.enter(|pairing, now| {
            pairing.refuse(now);
            Ok(())
        })
        .await
    }
}

impl<A: CompanionApp + 'static> Attempt<Companion<A>> {
    /// Checks the two digits that the phone shows and the user typed, after
    /// [`PairingEvent::ConfirmationWanted`]. There is no second try.
    ///
    /// # Errors
    ///
    /// As [`Pairing::enter_confirmation`] and [`Handle::call`].
    pub async fn enter_confirmation(&self, digits: &str) -> Result<(), TetherError> {
        let digits = digits.to_owned();
        self.enter(move |pairing, now| pairing.enter_confirmation(now, &digits)).await
    }

    /// Ends the pairing at the user's wish, as [`Pairing::stop`].
    ///
    /// # Errors
    ///
    /// As [`Pairing::stop`] and [`Handle::call`].
    pub async fn stop(&self) -> Result<(), TetherError> {
        self.enter(Pairing::stop).await
    }
}
