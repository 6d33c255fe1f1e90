//! What a program passes to a machine.

use crate::content::StopReason;
use crate::rows::Row;

/// What happened, or what the user or the application wants.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Input {
    /// The time of the last `SetTimer` has passed. Also the first input of every machine.
    Timer,
    /// The socket that `Connect` asked for is open.
    SocketOpened,
    /// The socket is closed, or could not be opened.
    SocketClosed,
    /// One binary message came.
    Received {
        /// The message.
        bytes: Vec<u8>,
    },
    /// The socket has taken this many bytes of what was to be transmitted.
    Transmitted {
        /// The number of bytes.
        len: u64,
    },
    /// The network, the clock, or the visibility of the program has changed: the connection is checked at once.
    Probe,
    /// The transaction with this commit is durable. Commits are reported once each and in their order.
    Committed {
        /// The commit's number.
        id: u64,
    },

    /// In a pairing of a companion: the two digits that the phone shows, as the user typed them. There is no second try.
    EnterNumber {
        /// The digits.
        digits: String,
    },
    /// In a pairing of a companion: the user ends it.
    StopPairing,
    /// In a pairing of a phone: the four digits that the companion shows, as the user typed them.
    EnterCheckCode {
        /// The digits.
        digits: String,
    },
    /// In a pairing of a phone: the user approves the companion.
    Approve {
        /// The account's secret key, 32 bytes: the same for all links of the phone.
        account: Vec<u8>,
        /// The name of the account, for the companion's user, 1 to 64 bytes.
        account_name: String,
        /// A random id for the companion, 16 bytes.
        companion: Vec<u8>,
        /// A serial number that no other companion of this phone has had.
        serial: u64,
        /// What the companion may do: bits of the application.
        grants: u64,
    },
    /// In a pairing of a phone: the user refuses the companion.
    Refuse,

    /// At a companion: sends a command, which the phone runs once. A commit comes back first.
    Send {
        /// 16 random bytes, drawn when the user acts.
        key: Vec<u8>,
        /// The command, at most 65,504 bytes.
        body: Vec<u8>,
    },
    /// At a companion: subscribes to a collection, as long as the connection lasts.
    Subscribe {
        /// The collection's name, 1 to 32 bytes.
        collection: Vec<u8>,
    },
    /// At a companion: ends a subscription.
    Unsubscribe {
        /// The collection's name.
        collection: Vec<u8>,
    },
    /// At a companion: takes back the seat at the relay that another program took.
    TakeBackSeat,
    /// At a companion: how the phone can be woken, for the service behind its relay. To be said after each start.
    SetWakeHandle {
        /// At most 256 bytes, which the phone has sent; absent if there is none.
        handle: Option<Vec<u8>>,
    },
    /// At a companion: the program is hidden from its user, or visible again.
    SetHidden {
        /// Whether it is hidden.
        is_hidden: bool,
    },

    /// At a phone: answers a command. The commit that comes back first belongs into the transaction of the command's
    /// effect and of its delivery.
    Answer {
        /// The command's key.
        key: Vec<u8>,
        /// The answer, at most 65,504 bytes.
        body: Vec<u8>,
    },
    /// At a phone: rows were written, and this is the newest revision that is durable. Also right after loading.
    SetLogHead {
        /// The revision.
        revision: u64,
    },
    /// At a phone: answers `DeltaWanted` with rows of later revisions than were asked from, in the order of their
    /// revisions, with those that were removed. As many as fit are sent.
    ProvideDelta {
        /// The collection's name.
        collection: Vec<u8>,
        /// The first of these rows.
        rows: Vec<Row>,
        /// Whether these are all of them; if not, there must be one at least.
        is_all: bool,
        /// The budget of the question.
        budget: u64,
        /// The newest revision of all collections.
        newest: u64,
    },
    /// At a phone: answers `PageWanted` with rows in the order of their ids, without those that were removed. As many as
    /// fit are sent.
    ProvidePage {
        /// The collection's name.
        collection: Vec<u8>,
        /// The first of these rows.
        rows: Vec<Row>,
        /// Whether these are all of them; if not, there must be one at least.
        is_all: bool,
        /// The budget of the question.
        budget: u64,
        /// The revision of the question, or the newest one of all collections if it has none.
        revision: u64,
    },
    /// Answers `DigestWanted`.
    ProvideDigest {
        /// The collection's name.
        collection: Vec<u8>,
        /// The digest of its rows (`row_digest`).
        digest: Vec<u8>,
        /// At a phone, the newest revision of all collections; a companion may say 0.
        newest: u64,
    },
    /// At a phone: a push has woken it for this link. It connects, unless the link has woken it too often in vain.
    Woken,
    /// At a phone: markers of rows that were removed at or below this revision may be gone.
    SetLogFloor {
        /// The revision.
        revision: u64,
    },
    /// At a phone: drops a link that its companion has not accepted yet. A commit comes back first.
    CancelOffer,
    /// At a phone: revokes the companion. A commit comes back first.
    Revoke {
        /// The account's secret key.
        account: Vec<u8>,
    },

    /// Sets a slot of the values that are sent at once and not kept, such as who is typing.
    SetEphemeral {
        /// The slot: 2 or more.
        slot: u64,
        /// The value, at most 1,024 bytes.
        body: Vec<u8>,
    },

    /// Fetches content. `StreamOpened` comes back first.
    GetContent {
        /// The content id.
        content: Vec<u8>,
        /// How many bytes of it are stored and checked.
        stored: u64,
    },
    /// Sends content. `StreamOpened` comes back first.
    PutContent {
        /// Its chunk list.
        list: Vec<u8>,
    },
    /// Takes content that the peer puts.
    AcceptContent {
        /// The stream's id.
        stream: u64,
    },
    /// Answers a put whose content is here already.
    HaveContent {
        /// The stream's id.
        stream: u64,
    },
    /// Sends content that the peer gets.
    ServeContent {
        /// The stream's id.
        stream: u64,
        /// The content's chunk list.
        list: Vec<u8>,
    },
    /// Goes on with a stream of an earlier run of the program.
    ContinueStream {
        /// The stream's id.
        stream: u64,
        /// The stored chunk list of its content, if there is one.
        list: Option<Vec<u8>>,
    },
    /// Brings the bytes that `ReadContent` asked for. Fewer may come, but not none.
    SupplyContent {
        /// The stream's id.
        stream: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// What `SyncContent` asked for is durable. A commit may come back first.
    ContentSynced {
        /// The stream's id.
        stream: u64,
    },
    /// Pauses a stream that sends, or lets it go on.
    PauseStream {
        /// The stream's id.
        stream: u64,
        /// Whether it is to pause.
        is_paused: bool,
    },
    /// Stops a stream for both sides. `StreamEnded` follows if there is such a stream.
    StopStream {
        /// The stream's id.
        stream: u64,
        /// Why.
        reason: StopReason,
    },
}
