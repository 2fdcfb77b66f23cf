//! Each part under all laws of its seam, with one macro call.

mod medium;

use medium::SimMedium;
use third_party::{Courier, FileMedium, OneFile, Transfer, Transfers};
use wal_testkit::{
    OnDisk, Profile, Sample, Samples, codec_laws, commit_strategy_laws, segment_store_laws,
};

// On a real file nothing can be made to fail.
segment_store_laws!(
    one_file,
    || {
        let dir = tempfile::tempdir().expect("a temporary directory");
        move || FileMedium::open(dir.path().join("segments")).map(OneFile::new)
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

// On a simulated one everything can.
segment_store_laws!(one_file_simulated, || OnDisk::new(Profile::STRICT, |disk| {
    SimMedium::open(disk).map(OneFile::new)
}));

codec_laws!(transfers, || Samples::new(Transfers, |sample: &mut Sample| Transfer {
    from: sample.text(),
    to: sample.text(),
    cents: sample.number(),
}));

commit_strategy_laws!(courier, Courier::new);
