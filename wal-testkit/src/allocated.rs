//! What a piece of work allocates.

/// What comes of the work, and the most bytes that it had allocated at a time, on this thread. Without
/// the feature `allocations` nobody counts; laws that ask need the feature.
///
/// Work that panics does so here: the count, which is nested, is ended before.
pub(crate) fn allocated<T>(work: impl FnOnce() -> T) -> (T, u64) {
    #[cfg(feature = "allocations")]
    {
        use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
        let mut result = None;
        let most = allocation_counter::measure(|| {
            result = Some(catch_unwind(AssertUnwindSafe(work)));
        });
        match result.expect("measured once") {
            Ok(result) => (result, most.bytes_max),
            Err(panic) => resume_unwind(panic),
        }
    }
    #[cfg(not(feature = "allocations"))]
    (work(), 0)
}

#[cfg(all(test, feature = "allocations"))]
mod tests {
    use super::allocated;
    use std::panic::catch_unwind;

    /// The counter keeps a row of counts, one within the other, and a panic left it one deeper: behind
    /// 63 of them every count panicked. So shrinking a case in which the log panicked ended with a case
    /// in which the counter did, and which did not fail alone.
    #[test]
    fn a_panic_ends_the_count() {
        for _ in 0..200 {
            catch_unwind(|| allocated(|| panic!("as a log may"))).map(drop).unwrap_err();
        }
        let (bytes, most) = allocated(|| vec![0_u8; 1000]);
        assert_eq!((bytes.len(), most), (1000, 1000));
    }
}
