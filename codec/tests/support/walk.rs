//! A second reading of the grammar, to tell which accepted inputs hold something that is ignored.

/// A varint at the front, of any form.
pub(crate) fn varint(input: &[u8]) -> Option<(u64, &[u8])> {
    let len = 1 << (input.first()? >> 6);
    let (head, rest) = input.split_at_checked(len)?;
    let value = head.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((value & (u64::MAX >> (66 - 8 * len)), rest))
}

/// The fields of a list of `type varint | length varint | value`, up to padding.
pub(crate) fn fields(mut input: &[u8]) -> Vec<(u64, &[u8])> {
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

/// Whether a list holds an even type other than 0. No known type is even.
pub(crate) fn ignores(list: &[u8]) -> bool {
    fields(list).iter().any(|(kind, _)| kind.is_multiple_of(2))
}
