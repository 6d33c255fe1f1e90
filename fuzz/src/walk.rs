//! A second, lenient reading of the grammar: it tells whether bytes that a decoder accepted hold something that the
//! decoder must ignore, which no value can give back.

/// A varint at the front, of any form, and the bytes behind it.
fn varint(input: &[u8]) -> Option<(u64, &[u8])> {
    let len = 1 << (input.first()? >> 6);
    let (head, rest) = input.split_at_checked(len)?;
    let value = head.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
    Some((value & (u64::MAX >> (66 - 8 * len)), rest))
}

/// The fields of `(type varint | length varint | value)*`, up to padding or the first malformed one.
fn fields(mut input: &[u8]) -> Vec<(u64, &[u8])> {
    let mut fields = Vec::new();
    while let Some((kind, rest)) = varint(input).filter(|(kind, _)| *kind != 0) {
        let Some((len, rest)) = varint(rest) else { break };
        let Some((value, rest)) = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len)) else {
            break;
        };
        fields.push((kind, value));
        input = rest;
    }
    fields
}

/// Whether a list of fields or frames holds an even type. No known type is even.
pub(crate) fn list_ignores(list: &[u8]) -> bool {
    fields(list).iter().any(|(kind, _)| kind % 2 == 0)
}

/// The same for a list of link frames, of which type 1 holds a list itself.
pub(crate) fn link_frames_ignore(list: &[u8]) -> bool {
    fields(list).iter().any(|(kind, body)| kind % 2 == 0 || (*kind == 1 && list_ignores(body)))
}

/// The same for a relay frame: HELLO, ATTACH, ATTACHED and PEER hold lists.
pub(crate) fn relay_frame_ignores(frame: &[u8]) -> bool {
    match frame {
        [1 | 5 | 7, list @ ..] | [11, _, list @ ..] => list_ignores(list),
        [kind, ..] => kind % 2 == 0,
        [] => false,
    }
}

/// The same for an application's body, whose fields `media` (kind, field) hold a list.
pub(crate) fn body_ignores(body: &[u8], media: (u64, u64)) -> bool {
    let Some((kind, list)) = varint(body) else { return false };
    fields(list)
        .iter()
        .any(|(field, value)| field % 2 == 0 || ((kind, *field) == media && list_ignores(value)))
}
