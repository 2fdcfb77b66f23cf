//! Where a log is put, what else is there, who else wants it, and what does not fit into it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use wal::parts::codec::{Binary, Operation, Raw};
use wal::parts::core::{Applied, Codec, SegmentStore, Transform, TransformId};
use wal::parts::segment::MemoryStore;
use wal::{CodecId, Config, ErrorKind, Lsn, Reader, Result, Verdict, Wal};
use wal_testkit::Counting;

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    let lsn = wal.append("mine").unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap();
    let refused = Wal::builder(dir.path()).open().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.survey().unwrap().unwrap().last_lsn(), Lsn::FIRST);
    assert_eq!(reader.read_from(Lsn::FIRST).unwrap().count(), 1);
    wal.close().unwrap();
    Wal::builder(dir.path()).open().unwrap();
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let others = ["notes.txt", "1.wal", "00000000000000000001.wal.bak", "a.new"];
    for name in others {
        fs::write(dir.path().join(name), b"theirs").unwrap();
    }
    // A segment's name is the log's: what has it and is none is named, and left where it is.
    let directory = dir.path().join("00000000000000000009.wal");
    fs::create_dir(&directory).unwrap();
    let refused = Wal::builder(dir.path()).open().unwrap_err();
    assert_eq!((refused.kind(), refused.at_segment().unwrap().get()), (ErrorKind::Corrupt, 9));
    fs::remove_dir(directory).unwrap();
    for round in 0..2 {
        let (wal, recovery) = Wal::builder(dir.path()).open().unwrap();
        assert_eq!(recovery.valid_records, round);
        wal.append("ours").unwrap();
        wal.close().unwrap();
    }
    for name in others {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"theirs", "{name}");
    }
    let found = Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
    assert_eq!(found.verdict, Verdict::Clean);
}

#[test]
fn a_file_named_as_a_segment_is_not_taken_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    wal.append("ours").unwrap();
    wal.close().unwrap();
    let stray = dir.path().join("00000000000000000007.wal");
    fs::write(&stray, vec![b'x'; 10_000]).unwrap();
    let refused = Wal::builder(dir.path()).open().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert_eq!(refused.at_segment().unwrap().get(), 7);
    assert_eq!(fs::read(&stray).unwrap(), vec![b'x'; 10_000], "the evidence is untouched");
    fs::remove_file(&stray).unwrap();
    let (_, recovery) = Wal::builder(dir.path()).open().unwrap();
    assert_eq!(recovery.valid_records, 1);
}

#[test]
fn a_place_that_cannot_be_used_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    fs::write(&file, b"").unwrap();
    let refused = Wal::builder(&file).open().unwrap_err();
    assert!(refused.to_string().contains("a file"), "{refused}");
    let refused = Wal::builder(file.join("below")).open().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Io);
    let missing = Reader::open(dir.path().join("nowhere")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

/// The superuser may write anywhere, so as such this test gives up its rights in a child.
#[test]
fn a_directory_without_permission_is_an_error_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::geteuid().is_root() {
        let me = std::env::current_exe().unwrap();
        let copy = dir.path().join("test");
        fs::copy(me, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        let run = std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&copy)
            .args(["--exact", "denied_child", "--nocapture"])
            .env("WAL_TEST_CLOSED", &closed)
            .output()
            .expect("setpriv of util-linux runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(said.contains("was denied"), "the child did not look: {said}");
    } else {
        denied(&closed);
    }
    assert_eq!(fs::read_dir(&closed).unwrap().count(), 0);
}

#[test]
fn denied_child() {
    if let Some(closed) = std::env::var_os("WAL_TEST_CLOSED") {
        denied(closed.as_ref());
        println!("was denied");
    }
}

fn denied(closed: &std::path::Path) {
    let refused = Wal::builder(closed).open().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Io);
    let line = refused.report();
    assert!(line.contains("closed") && line.to_lowercase().contains("permission denied"), "{line}");
}

#[test]
fn what_is_too_large_is_refused_whole() {
    let mut config = Config::default();
    (config.record_limit, config.batch_limit) = (1000, 3000);
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).config(config).open().unwrap();
    assert_eq!(wal.append([0; 1001]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(wal.append_batch([vec![0; 1001]]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(wal.append_batch(vec![[0; 999]; 4]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(wal.last_lsn(), Lsn::ZERO, "a refused record took an LSN");
    assert_eq!(wal.append([0; 1000]).unwrap(), Lsn::FIRST);
    let none: [&[u8]; 0] = [];
    assert_eq!(wal.append_batch(none).unwrap(), []);
    let lsns = wal.append_batch([[1; 900], [2; 900], [3; 900]]).unwrap();
    assert_eq!(lsns, [2, 3, 4].map(Lsn::new));
    assert_eq!(wal.append(b"").unwrap(), Lsn::new(5));
    wal.sync().unwrap();
    let sizes: Vec<_> =
        wal.read_from(Lsn::FIRST).unwrap().map(|entry| entry.unwrap().payload.len()).collect();
    assert_eq!(sizes, [1000, 900, 900, 900, 0]);
}

/// Opening reads the newest segment and the list; nothing of the others, however many.
#[test]
fn opening_a_log_of_many_sealed_segments_opens_only_the_last() {
    for records in [50, 500] {
        let memory = MemoryStore::new();
        let open = |store: Arc<dyn SegmentStore>| {
            Wal::with_store(store).segment_size(16 * 1024).open().unwrap()
        };
        let (wal, _) = open(Arc::new(memory.clone()));
        for _ in 0..records {
            wal.append([5; 3000]).unwrap();
            wal.sync().unwrap();
        }
        wal.close().unwrap();
        let segments = memory.list().unwrap().len();
        assert!(segments > records / 5);
        let counting = Counting::new(Arc::new(memory));
        let (wal, recovery) = open(Arc::new(counting.clone()));
        assert_eq!(recovery.valid_records, records as u64);
        let counts = counting.counts();
        // The newest, and the one before for its header.
        assert_eq!((counts.opens, counts.lists), (2, 1), "{segments} segments");
        assert!(recovery.bytes_scanned <= 16 * 1024);
        drop(wal);
    }
}

/// Every byte turned around; bodies that end in a seven are left as they are.
#[derive(Debug)]
struct Turned;

impl Transform for Turned {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        if body.last() == Some(&7) {
            return Ok(Applied::Skipped);
        }
        out.extend(body.iter().map(|byte| !byte));
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], _limit: usize, out: &mut Vec<u8>) -> Result<()> {
        out.extend(stored.iter().map(|byte| !byte));
        Ok(())
    }
}

#[test]
fn frames_go_through_a_transform_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let records: Vec<Vec<u8>> =
        (0..40_u8).map(|n| vec![if n % 5 == 0 { 7 } else { b'a' }; 100 + usize::from(n)]).collect();
    let open = || {
        Wal::builder(dir.path()).segment_size(16 * 1024).transform(Arc::new(Turned)).open().unwrap()
    };
    let (wal, _) = open();
    for record in &records {
        let lsn = wal.append(record).unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap();
    }
    wal.append_batch(&records).unwrap();
    wal.truncate_after(Lsn::new(53)).unwrap();
    wal.close().unwrap();
    let wanted: Vec<_> = records.iter().cycle().take(53).cloned().collect();
    let (wal, _) = open();
    let read: Vec<_> =
        wal.read_from(Lsn::FIRST).unwrap().map(|entry| entry.unwrap().payload.to_vec()).collect();
    assert_eq!(read, wanted);
    wal.close().unwrap();
    let (wal, recovery) = Wal::builder(dir.path()).open().unwrap();
    assert_eq!(recovery.valid_records, 53, "recovery needs no transform");
    let refused = wal.read_from(Lsn::new(2)).unwrap().next().unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let written: Vec<u8> = fs::read_dir(dir.path())
        .unwrap()
        .flat_map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let plain = vec![b'a'; 100];
    assert!(!written.windows(100).any(|bytes| bytes == plain), "a body was stored untransformed");
}

/// As [`Turned`], and puts something behind a body that it gives back.
#[derive(Debug)]
struct Longer;

impl Transform for Longer {
    fn id(&self) -> TransformId {
        Turned.id()
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        Turned.apply(body, out)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        Turned.undo(stored, limit, out)?;
        out.push(0);
        Ok(())
    }
}

/// What stands behind the last record of a body that was transformed, nobody sees but who can undo
/// it. A reader once gave out the records, and refused the log only when there was one more.
#[test]
fn a_body_that_is_not_what_its_frame_counts_is_refused_before_its_first_record() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).transform(Arc::new(Turned)).open().unwrap();
    wal.append_batch([b"one", b"two"]).unwrap();
    wal.close().unwrap();
    let (wal, _) = Wal::builder(dir.path()).transform(Arc::new(Longer)).open().unwrap();
    let refused = wal.read_from(Lsn::FIRST).unwrap().next().unwrap().unwrap_err();
    assert_eq!((refused.kind(), refused.at_lsn()), (ErrorKind::Corrupt, Some(Lsn::FIRST)));
}

/// A codec that the log does not name.
#[derive(Debug)]
struct Other;
impl Codec<Vec<u8>> for Other {
    fn id(&self) -> CodecId {
        CodecId(1000)
    }
    fn encode(&self, record: &Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        Raw.encode(record, out)
    }
    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        Raw.decode(bytes)
    }
}

#[test]
fn a_typed_log_remembers_its_codec() {
    let dir = tempfile::tempdir().unwrap();
    let order = Operation::put("orders", b"4711", b"paid").within(9).at(1_700_000_000_000);
    let (wal, _) = Wal::builder(dir.path()).codec(Binary::ID).open().unwrap();
    let orders = wal.typed::<Operation, _>(Binary).unwrap();
    let lsn = orders.append(&order).unwrap();
    orders.append_batch([&order, &Operation::commit(9)]).unwrap();
    orders.wait_for_lsn(lsn).wait().unwrap();
    wal.close().unwrap();

    let refused = Wal::builder(dir.path()).codec(CodecId(1000)).open().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let (wal, recovery) = Wal::builder(dir.path()).open().unwrap();
    assert_eq!((recovery.codec, wal.codec()), (Binary::ID, Binary::ID));
    assert_eq!(wal.typed(Other).unwrap_err().kind(), ErrorKind::Invalid);
    let orders = wal.typed::<Operation, _>(Binary).unwrap();
    let read: Vec<_> =
        orders.read_from(Lsn::FIRST).unwrap().map(|entry| entry.unwrap().1).collect();
    assert_eq!(read, [order.clone(), order, Operation::commit(9)]);
    wal.append(b"no operation").unwrap();
    wal.sync().unwrap();
    let bad = orders.read_from(Lsn::new(4)).unwrap().next().unwrap().unwrap_err();
    assert_eq!(bad.at_lsn(), Some(Lsn::new(4)));
}

/// A log of plain lines took any codec, and went on with it: its lines were nonsense to the program that read
/// it, and what that program wrote was nonsense to the one before. What was written plainly is only that.
/// A log without records takes any codec: one that was only opened, and one that is pruned or cut to nothing.
#[test]
fn a_log_of_plain_records_is_refused_to_a_codec() {
    let dir = tempfile::tempdir().unwrap();
    let open = |codec| Wal::builder(dir.path()).codec(codec).open();
    let (wal, _) = open(CodecId::RAW).unwrap();
    wal.append_batch(["plain", "lines"]).unwrap();
    wal.close().unwrap();
    let refused = open(Binary::ID).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.what().contains("plain bytes"), "{refused:?}");
    let (wal, recovery) = open(CodecId::RAW).unwrap();
    assert_eq!((recovery.valid_records, recovery.codec), (2, CodecId::RAW));
    wal.truncate_after(Lsn::ZERO).unwrap();
    wal.close().unwrap();
    let (wal, _) = open(Binary::ID).unwrap();
    assert_eq!(wal.codec(), Binary::ID);
    wal.append_durable([1]).unwrap();
    wal.close().unwrap();
    assert_eq!(open(CodecId::RAW).unwrap().1.codec, Binary::ID);
}

/// `typed` promised "the same verbs" and had four of them: a typed log in a task had to block it.
#[test]
fn a4_a_typed_log_has_the_verbs_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).codec(Binary::ID).open().unwrap();
    let orders = wal.typed::<Operation, _>(Binary).unwrap();
    let order = |n| Operation::put("orders", b"4711", b"paid").within(n);
    let lsns = [
        orders.append(&order(1)).unwrap(),
        orders.try_append(&order(2)).unwrap(),
        pollster::block_on(orders.append_async(&order(3))).unwrap(),
        orders.append_durable(&order(4)).unwrap(),
    ];
    assert_eq!(lsns, [1, 2, 3, 4].map(Lsn::new));
    let batch = [order(5), order(6)];
    assert_eq!(
        pollster::block_on(orders.append_batch_async(&batch)).unwrap(),
        [5, 6].map(Lsn::new)
    );
    orders.sync().unwrap();

    assert_eq!(orders.get(Lsn::new(4)).unwrap(), Some(order(4)));
    assert_eq!(orders.get(Lsn::new(7)).unwrap(), None);
    let all = |entries: wal::TypedEntries<Operation>| {
        entries.map(|entry| entry.unwrap().1).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (1..=6).map(order).collect();
    let segment = wal.current_segment_id().unwrap();
    assert_eq!(all(orders.read_segment(segment).unwrap()), expected);
    let place = wal.get(Lsn::FIRST).unwrap().unwrap().position;
    assert_eq!(all(orders.read_at(place).unwrap()), expected);
}
