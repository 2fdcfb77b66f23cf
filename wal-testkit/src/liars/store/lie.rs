//! The ways in which a store lies.

/// The one way in which a [`LyingStore`](super::LyingStore) lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreLie {
    /// It is honest.
    None,
    /// It declares an alignment that is no power of two.
    AlignmentOfThree,
    /// A damaged anchor reads as none.
    AnchorDamageIsNone,
    /// The anchor is overwritten in place.
    AnchorHasOneSlot,
    /// Only the first hundred bytes of an anchor are kept.
    AnchorIsCutShort,
    /// The anchor is written anew each time, beside the old one.
    AnchorNeedsRoom,
    /// The anchor stays with the handle.
    AnchorStaysWithItsHandle,
    /// The anchor is not synced.
    AnchorSkipsSync,
    /// Appended bytes stay with the writer until a sync.
    AppendsAreBuffered,
    /// Every second append lands before the one before it.
    AppendsTradePlaces,
    /// A create that fails for lack of space keeps the space it took.
    CreateKeepsItsRoom,
    /// Creating a number that is taken empties the segment.
    CreateOverwrites,
    /// A recycled file has its name before its old bytes are gone.
    CreateRecyclesOpenly,
    /// The zeros over a recycled file are not synced.
    CreateRecyclesUnsynced,
    /// A new segment's name is not synced.
    CreateSkipsDirectorySync,
    /// The end is that of the prepared space.
    EndCountsPreparedSpace,
    /// A failed append moves the end.
    FailedAppendMovesTheEnd,
    /// A full disk is told as any other error.
    FullIsAnyError,
    /// Segments are listed in the order of their numbers as text.
    ListIsUnsorted,
    /// Only the segments made by this handle are listed.
    ListKnowsOwnSegmentsOnly,
    /// The lock is listed as a segment.
    ListShowsTheLock,
    /// The lock is a file that stays when its holder dies.
    LockIsAFile,
    /// The lock is free when the store's handle goes.
    LockGoesWithItsHandle,
    /// A dropped lock is still held.
    LockIsNeverFreed,
    /// Everyone gets the lock.
    LockLetsTwoIn,
    /// Opening a missing segment makes it.
    OpenMakesTheSegment,
    /// Prepared space is not zero.
    PreparedSpaceIsGarbage,
    /// A read that fails says that there is nothing more.
    ReadErrorsAreTheEnd,
    /// A read gives a hundred bytes at most.
    ReadsAreShort,
    /// Removing removes nothing.
    RemoveDoesNothing,
    /// Removals are not synced.
    RemoveSkipsDirectorySync,
    /// Removing fails at a segment that is not there.
    RemoveStopsAtTheMissing,
    /// One directory sync is to keep the order of several removals.
    RemoveSyncsOnceForAll,
    /// A segment that cannot be deleted keeps those behind it.
    RemoveStopsAtAFailure,
    /// A short read is taken for the end.
    ShortReadsAreTakenForWhole,
    /// A short write is taken for a whole one.
    ShortWritesAreTakenForWhole,
    /// Space that was not prepared is promised.
    SpaceIsOverstated,
    /// What may be anything is said to be zeros.
    SpaceSaysZeros,
    /// A sync does nothing.
    SyncDoesNothing,
    /// A failed sync is taken for done.
    SyncErrorsAreSwallowed,
    /// A syncer works only on the thread that made it.
    SyncWorksOnItsThreadOnly,
    /// A syncer works once.
    SyncWorksOnce,
    /// A trim cuts down to a whole sector.
    TrimCutsTooMuch,
    /// A trim gives back nothing.
    TrimDoesNothing,
    /// A trim makes a short segment longer.
    TrimExtends,
    /// A trim writes what is kept anew.
    TrimRewrites,
    /// A trim is not synced.
    TrimSkipsSync,
    /// A writer goes on when another handle has the lock.
    WriterOutlivesItsLock,
}

impl StoreLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::AlignmentOfThree, &["guarantees_make_sense"]),
        (Self::AnchorDamageIsNone, &["a_damaged_anchor_is_not_none"]),
        (Self::AnchorHasOneSlot, &["an_interrupted_anchor_is_the_old_or_the_new"]),
        (Self::AnchorIsCutShort, &["an_anchor_is_read_back"]),
        (Self::AnchorNeedsRoom, &["an_anchor_is_replaced_on_a_full_disk"]),
        (Self::AnchorStaysWithItsHandle, &["an_anchor_survives_the_death_of_its_process"]),
        (Self::AnchorSkipsSync, &["an_anchor_survives_a_crash"]),
        (Self::AppendsAreBuffered, &["readers_see_appends_at_once"]),
        (Self::AppendsTradePlaces, &["appends_keep_their_order"]),
        (Self::CreateKeepsItsRoom, &["a_create_without_room_gives_it_back"]),
        (Self::CreateOverwrites, &["a_taken_number_is_refused"]),
        (Self::CreateRecyclesOpenly, &["an_interrupted_create_leaves_zeros_or_nothing"]),
        (Self::CreateRecyclesUnsynced, &["prepared_space_is_zeros_after_a_crash"]),
        (Self::CreateSkipsDirectorySync, &["a_created_segment_survives_a_crash"]),
        (Self::EndCountsPreparedSpace, &["the_end_is_what_was_appended"]),
        (Self::FailedAppendMovesTheEnd, &["a_failed_append_does_not_move_the_end"]),
        (Self::FullIsAnyError, &["an_append_without_room_can_be_repeated"]),
        (Self::ListIsUnsorted, &["segments_are_listed_in_order"]),
        (
            Self::ListKnowsOwnSegmentsOnly,
            &["reopening_finds_everything", "a_synced_segment_is_there"],
        ),
        (Self::ListShowsTheLock, &["only_segments_are_listed"]),
        (Self::LockIsAFile, &["a_lock_dies_with_its_holder"]),
        (Self::LockGoesWithItsHandle, &["a_second_lock_is_refused"]),
        (Self::LockIsNeverFreed, &["a_dropped_lock_is_free"]),
        (Self::LockLetsTwoIn, &["a_second_lock_is_refused"]),
        (Self::OpenMakesTheSegment, &["a_missing_segment_is_not_found"]),
        (Self::PreparedSpaceIsGarbage, &["prepared_space_reads_as_zeros"]),
        (Self::ReadErrorsAreTheEnd, &["a_failed_read_is_reported"]),
        (Self::ReadsAreShort, &["reads_stop_only_at_the_end"]),
        (Self::RemoveDoesNothing, &["removed_segments_are_gone"]),
        (Self::RemoveSkipsDirectorySync, &["a_removal_survives_a_crash"]),
        (Self::RemoveStopsAtTheMissing, &["remove_passes_over_the_missing"]),
        (Self::RemoveStopsAtAFailure, &["remove_goes_past_what_cannot_be_deleted"]),
        (Self::RemoveSyncsOnceForAll, &["an_interrupted_removal_leaves_the_last"]),
        (Self::ShortReadsAreTakenForWhole, &["short_reads_are_finished"]),
        (Self::ShortWritesAreTakenForWhole, &["short_writes_are_finished"]),
        (Self::SpaceIsOverstated, &["promised_space_is_there_after_a_crash"]),
        (Self::SpaceSaysZeros, &["space_reads_as_its_writer_says"]),
        (Self::SyncDoesNothing, &["synced_bytes_survive_a_crash"]),
        (Self::SyncErrorsAreSwallowed, &["a_failed_sync_is_reported"]),
        (Self::SyncWorksOnItsThreadOnly, &["syncs_run_beside_appends"]),
        (Self::SyncWorksOnce, &["a_sync_covers_every_append_before_it"]),
        (Self::TrimCutsTooMuch, &["trim_keeps_what_is_before"]),
        (Self::TrimDoesNothing, &["trim_gives_back_the_rest"]),
        (Self::TrimExtends, &["trim_leaves_a_short_segment_alone"]),
        (Self::TrimRewrites, &["an_interrupted_trim_keeps_what_is_before"]),
        (Self::TrimSkipsSync, &["a_trim_survives_a_crash"]),
        (Self::WriterOutlivesItsLock, &["nothing_changes_under_the_next_owner"]),
    ];
}
