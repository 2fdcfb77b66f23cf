//! What a piece of work allocates.

/// What comes of the work, and the most bytes that it had allocated at a time. Without the feature
/// `allocations` nobody counts; laws that ask need the feature.
pub(crate) fn allocated<T>(work: impl FnOnce() -> T) -> (T, u64) {
    #[cfg(feature = "allocations")]
    {
        let mut result = None;
        let most = allocation_counter::measure(|| result = Some(work())).bytes_max;
        (result.expect("measured once"), most)
    }
    #[cfg(not(feature = "allocations"))]
    (work(), 0)
}
