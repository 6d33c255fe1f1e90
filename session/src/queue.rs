//! A helper that removes the front of a queue under a condition.
//!
//! `VecDeque::pop_front_if` does the same from Rust 1.93 on; the compiler with which some distributions build
//! pages is older.

use alloc::collections::VecDeque;

/// Removes and returns the first item if `fits` returns true for it.
pub(crate) fn pop_front_if<T>(queue: &mut VecDeque<T>, fits: impl FnOnce(&mut T) -> bool) -> Option<T> {
    if fits(queue.front_mut()?) { queue.pop_front() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_is_taken() {
        let mut queue = VecDeque::from([1, 2]);
        assert_eq!(pop_front_if(&mut queue, |first| *first == 1), Some(1));
        assert_eq!(pop_front_if(&mut queue, |first| *first == 1), None);
        assert_eq!(queue, [2]);
        queue.clear();
        assert_eq!(pop_front_if(&mut queue, |_| true), None);
    }
}
