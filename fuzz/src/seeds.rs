//! The seed corpus: inputs that are worth changing.

use std::fs;
use std::path::{Path, PathBuf};

use wal::parts::codec::{Binary, Bincode, Operation};
use wal::parts::core::Codec;
use wal::parts::core::format::{FRAME_HEADER_LEN, HEADER_LEN};

pub use crate::files::FIELDS;
use crate::files::{Image, pack};
use crate::input::Input;
use crate::mend;
use crate::sound::Sound;

/// The folder of a target's corpus.
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The inputs that a target starts from, each with the name of its file: made of the golden files of
/// the format, and of logs that the kit writes.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "segment_header" => {
            let with = |mode: u8, file: &[u8]| [&[mode], &file[..FIELDS]].concat();
            let of = |(name, file): (String, Vec<u8>)| {
                [(name.clone(), with(1, &file)), (format!("{name}-as-it-is"), with(3, &file))]
            };
            golden().flat_map(of).collect()
        }
        "frame" => golden().flat_map(|(name, file)| frames(&name, &file)).collect(),
        "records" => golden().flat_map(|(name, file)| bodies(&name, &file, 1)).collect(),
        "seal" => golden().flat_map(|(name, file)| bodies(&name, &file, 3)).collect(),
        "start" => golden().flat_map(|(name, file)| bodies(&name, &file, 4)).collect(),
        "operation" => operations(&Binary, &[]),
        "bincode" => operations(&Bincode, &[0]),
        "recovery" => {
            let golden = golden().filter(|(_, file)| file.len() < 32 * 1024);
            let of = |(name, file)| (name, pack(&Image::from([(2, file)])));
            golden.map(of).chain(logs()).collect()
        }
        "torn_or_rot" => [(1, 1), (0, 0), (1, 5), (0, 4)].into_iter().flat_map(scripts).collect(),
        "history" => histories(),
        _ => Vec::new(),
    }
}

fn golden() -> impl Iterator<Item = (String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wal-core/tests/golden");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the golden files are part of the repository")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wal"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| {
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
        (name, fs::read(&path).expect("a golden file can be read"))
    })
}

/// Each frame of a golden file: its name, its place, its bytes.
fn each_frame(file: &[u8]) -> Vec<(usize, &[u8])> {
    let mut found = Vec::new();
    let mut at = HEADER_LEN;
    while file.len() - at >= FRAME_HEADER_LEN && file[at + 4] != 0 {
        let len = usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
        let end = at + FRAME_HEADER_LEN + len.next_multiple_of(8);
        found.push((at, &file[at..end]));
        at = end;
    }
    found
}

fn frames(name: &str, file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let seed = mend::identity(&file[..HEADER_LEN]).get().to_le_bytes();
    let of = |(at, frame): (usize, &[u8])| {
        let input = [&[0][..], &seed, &(at as u64).to_le_bytes(), frame].concat();
        (format!("{name}-{at}"), input)
    };
    each_frame(file).into_iter().filter(|(_, frame)| frame.len() < 1000).map(of).collect()
}

/// The bodies of the frames of this kind, each with what its target reads before it.
fn bodies(name: &str, file: &[u8], kind: u8) -> Vec<(String, Vec<u8>)> {
    let frames = each_frame(file).into_iter().filter(|(_, frame)| frame[4] == kind);
    frames
        .filter(|(_, frame)| frame.len() < 5000)
        .map(|(at, frame)| {
            let len = usize::from(u16::from_le_bytes([frame[0], frame[1]]));
            let body = &frame[FRAME_HEADER_LEN..FRAME_HEADER_LEN + len];
            let before = match kind {
                1 => vec![0, frame[8]],
                3 => [(file.len() as u64).to_le_bytes(), 42_u64.to_le_bytes()].concat(),
                _ => Vec::new(),
            };
            (format!("{name}-{at}"), [&before, body].concat())
        })
        .collect()
}

fn operations(codec: &dyn Codec<Operation>, before: &[u8]) -> Vec<(String, Vec<u8>)> {
    let operations = [
        ("put", Operation::put("orders", b"4711", b"25 EUR").at(1_700_000_000).within(9)),
        ("update", Operation::update("", b"", b"")),
        ("delete", Operation::delete("orders", b"4711").at(u64::MAX)),
        ("begin", Operation::begin(9)),
        ("prepare", Operation::prepare(300)),
        ("commit", Operation::commit(9)),
        ("abort", Operation::abort(u64::MAX)),
    ];
    let encoded = operations.map(|(name, operation)| {
        let mut bytes = before.to_vec();
        codec.encode(&operation, &mut bytes).expect("a small operation encodes");
        (name.to_owned(), bytes)
    });
    encoded.into()
}

/// Whole logs, of several segments, pruned and recovered.
fn logs() -> impl Iterator<Item = (String, Vec<u8>)> {
    [("waits", 1_u8), ("asked", 2), ("transformed", 5)].into_iter().map(|(name, log)| {
        let script = [&[log, 20][..], SCRIPT].concat();
        (format!("log-{name}"), pack(&Sound::made(&mut Input::new(&script)).image))
    })
}

/// Appends, a batch, syncs, a kill, a pruning, closes, a cut: several segments, of few bytes each.
const SCRIPT: &[u8] = &[
    0, 20, 5, 6, 1, 9, 2, 40, 7, 4, 15, 9, 1, 0, 50, 6, 9, 0, 5, 0, 40, 6, 10, 5, 0, 30, 11, 6, 0,
    60, 9, 1, 0, 30, 0, 9, 5, 6, 0, 50, 0, 9,
];

/// [`SCRIPT`] with this harm to this kind of log, in each way.
fn scripts((harm, log): (u8, u8)) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..10).map(move |kind: u8| {
        let damage = [1, 0, 0, 1, 0, 40, 1, kind, 2, 9];
        (format!("{harm}{log}-{kind}"), [&[harm, log, 32], SCRIPT, &damage].concat())
    })
}

fn histories() -> Vec<(String, Vec<u8>)> {
    let calls: &[(&str, &[u8])] = &[
        ("append-cut", &[0, 60, 6, 0, 0, 200, 5, 1, 60, 6, 0, 15, 3, 6, 1, 1, 2, 0, 0, 60, 9]),
        ("rotate-prune", &[0, 250, 0, 250, 0, 250, 0, 250, 0, 250, 9, 10, 4, 12, 13, 0, 60, 9]),
        ("truncate", &[0, 60, 0, 60, 0, 60, 9, 11, 1, 0, 60, 6, 0, 14, 0, 12]),
        ("failing-sync", &[0, 60, 6, 0, 17, 1, 0, 2, 0, 0, 60, 6, 0, 9, 14, 0, 15, 1, 1, 0]),
        ("power-off", &[0, 60, 6, 0, 16, 3, 0, 60, 6, 0, 15, 7, 5, 3, 20, 0, 5, 0, 60, 6, 0]),
        ("full", &[0, 60, 6, 0, 18, 0, 1, 0, 250, 0, 250, 6, 0, 19, 6, 0, 13, 0, 12]),
    ];
    let shapes = (0..6_u8).map(|disk| [disk, disk % 5 + disk / 3 * 5, 2 - disk % 3, 0]);
    let each = shapes.flat_map(|shape| {
        calls.iter().map(move |(name, calls)| {
            (format!("{name}-{}", shape[0]), [&shape[..], calls].concat())
        })
    });
    each.collect()
}
