//! [`LogLie`]: the ways in which a log lies.

/// The one way in which a [`LyingLog`](super::LyingLog) lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogLie {
    /// It is honest.
    None,
    /// After a crash it goes on behind the torn bytes.
    AppendsBehindATear,
    /// A batch is written as several frames.
    BatchIsSplit,
    /// What recovery carries over is not synced before the old file goes.
    CarriesUnsynced,
    /// A close writes nothing.
    CloseForgets,
    /// Damage anywhere is taken for a torn tail, and cut.
    DamageIsATear,
    /// The durable LSN stays at zero.
    DurableIsNothing,
    /// The durable LSN is the last staged one.
    DurableIsStaged,
    /// The anchor is written and not looked at.
    ForgetsItsAnchor,
    /// LSNs begin at zero.
    FirstLsnIsZero,
    /// A write on a full disk is taken for done.
    FullIsAcknowledged,
    /// What is longer than a block of 64 KiB is not synced.
    LongFramesAreNotSynced,
    /// The name of its file goes once the file has some length, and the log writes on.
    NameGoesMeanwhile,
    /// The name of a new file is not synced.
    NameIsNotSynced,
    /// Records are not synced.
    NothingIsSynced,
    /// The old file goes before the new one is durable.
    OldGoesBeforeNewIsSynced,
    /// Opening appends a record.
    OpeningAppends,
    /// What is no file of this log counts as none.
    PassesOverStrangers,
    /// Pruning takes place in memory only.
    PruneForgets,
    /// Pruned records keep their space.
    PruneKeepsTheSpace,
    /// Pruning takes one record too many.
    PrunesTooMuch,
    /// What cannot be read is taken for the end of the log.
    ReadErrorsAreTheEnd,
    /// Records are read newest first.
    ReadsBackwards,
    /// A reader begins at the first record, wherever it was told to.
    ReadsFromTheStart,
    /// A reader stops after a hundred records.
    ReadsOneSegment,
    /// Recovery goes on in the file it found, and syncs nothing.
    RecoversInPlace,
    /// Recovery goes on behind damage.
    RecoverySkipsDamage,
    /// Every open loses the last record.
    ReopenForgetsTheLast,
    /// Every second open loses the last record.
    SecondOpenForgets,
    /// What is no file of this log and has an older number is deleted.
    StrangersAreObsolete,
    /// Checksums are written and not checked.
    SumsAreNotChecked,
    /// After a failed sync the next one counts.
    SyncIsTriedAgain,
    /// Truncating drops nothing.
    TruncateDoesNothing,
    /// Truncating takes place in memory only.
    TruncateForgets,
    /// Two handles may write at once.
    TwoMayWrite,
    /// Waiting for an LSN never issued succeeds.
    WaitsForAnything,
    /// A failed write is skipped, and the log goes on behind it.
    WriteErrorsLeaveAHole,
    /// A record of zeros is taken for the end.
    ZerosAreTheEnd,
}

impl LogLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::AppendsBehindATear, &["tear_after_tear_is_recovered"]),
        (Self::BatchIsSplit, &["a_batch_is_whole_or_absent"]),
        (Self::CarriesUnsynced, &["what_was_seen_stays"]),
        (Self::CloseForgets, &["closing_makes_everything_durable"]),
        (Self::DamageIsATear, &["damage_is_loud", "a_wrong_read_destroys_nothing"]),
        (Self::DurableIsNothing, &["the_durable_lsn_covers_what_was_acknowledged"]),
        (Self::DurableIsStaged, &["what_the_durable_lsn_covers_survives_a_crash"]),
        (Self::FirstLsnIsZero, &["lsns_are_dense_from_one"]),
        (Self::ForgetsItsAnchor, &["a_log_that_vanished_is_no_new_one"]),
        (Self::FullIsAcknowledged, &["a_full_disk_loses_nothing_acknowledged"]),
        (Self::LongFramesAreNotSynced, &["what_takes_many_blocks_survives_a_crash"]),
        (Self::NameGoesMeanwhile, &["what_is_acknowledged_is_in_a_file_with_a_name"]),
        (Self::NameIsNotSynced, &["a_crash_at_any_operation_loses_nothing"]),
        (Self::NothingIsSynced, &["acknowledged_records_survive_a_crash"]),
        (
            Self::OldGoesBeforeNewIsSynced,
            &[
                "a_crash_in_recovery_loses_nothing",
                "an_interrupted_prune_leaves_no_gap",
                "an_interrupted_truncation_leaves_a_prefix",
            ],
        ),
        (Self::OpeningAppends, &["an_empty_log_opens_again"]),
        (Self::PassesOverStrangers, &["strangers_are_named_or_left_alone"]),
        (Self::PruneForgets, &["pruned_records_never_come_back"]),
        (Self::PruneKeepsTheSpace, &["pruning_gives_space_back"]),
        (Self::PrunesTooMuch, &["pruning_keeps_the_rest"]),
        (Self::ReadErrorsAreTheEnd, &["a_failed_read_is_no_end"]),
        (Self::ReadsBackwards, &["records_come_back_in_order"]),
        (Self::ReadsFromTheStart, &["reading_begins_where_it_is_told"]),
        (Self::ReadsOneSegment, &["records_cross_segments"]),
        (
            Self::RecoversInPlace,
            &["what_is_seen_after_a_failed_sync_stays", "what_is_seen_after_a_kill_stays"],
        ),
        (Self::RecoverySkipsDamage, &["recovery_finds_a_prefix"]),
        (Self::ReopenForgetsTheLast, &["reopening_goes_on_with_the_next_lsn"]),
        (Self::SecondOpenForgets, &["a_second_open_finds_the_same"]),
        (Self::StrangersAreObsolete, &["strangers_are_named_or_left_alone"]),
        (Self::SumsAreNotChecked, &["damage_is_loud"]),
        (Self::SyncIsTriedAgain, &["nothing_is_acknowledged_after_a_failed_sync"]),
        (Self::TruncateDoesNothing, &["truncating_drops_the_rest"]),
        (Self::TruncateForgets, &["truncated_records_never_come_back"]),
        (Self::TwoMayWrite, &["a_second_writer_is_refused"]),
        (Self::WaitsForAnything, &["waiting_for_an_lsn_never_issued_is_an_error"]),
        (Self::WriteErrorsLeaveAHole, &["a_failed_write_loses_nothing_acknowledged"]),
        (Self::ZerosAreTheEnd, &["records_of_any_length_come_back"]),
    ];
}
