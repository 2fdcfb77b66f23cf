//! What the README says to do with a broken log.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fixture::{Log, flip, numbered, wal};

/// The commands under the README's heading, as they stand there.
fn recipe() -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let section = readme.split("### When it is broken\n").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

fn lsns(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["lsn"].as_u64().unwrap()).collect()
}

/// Nothing said how the records behind damage are had, and behind a damaged header `--from` found none.
#[test]
fn b3_the_readmes_way_gets_what_is_before_damage_and_behind_it() {
    for offset in [10, 9000] {
        let log = Log::of(&numbered(1000));
        let root = log.dir.parent().unwrap();
        let orders = root.join("orders.wal");
        fs::rename(&log.dir, &orders).unwrap();
        let dumped = wal(["dump", "--json"]).arg(&orders).output().unwrap().stdout;
        let dumped = String::from_utf8(dumped).unwrap();
        let segments: Vec<Value> =
            dumped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let firsts: Vec<_> = segments
            .iter()
            .filter(|line| line["type"] == "segment")
            .map(|line| line["first_lsn"].as_u64().unwrap())
            .collect();
        assert!(firsts.len() > 4, "{firsts:?}");
        flip(&orders.join(format!("{:020}.wal", 2)), offset);
        let tool = Path::new(env!("CARGO_BIN_EXE_wal")).parent().unwrap();
        let path = format!("{}:{}", tool.display(), env::var("PATH").unwrap());
        let ran = Command::new("sh")
            .args(["-c", &recipe()])
            .current_dir(root)
            .env("PATH", path)
            .env("NEXT", firsts[2].to_string())
            .output()
            .unwrap();
        let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        assert!(ran.status.success(), "{said}");
        assert!(said.contains(&format!("from LSN {}, after segment 2", firsts[2])), "{said}");
        assert!(said.contains("warning: damaged when it was pruned: segment 2:"), "{said}");

        let (before, after) = (lsns(&root.join("before.json")), lsns(&root.join("after.json")));
        assert!(before.iter().copied().eq(1..=before.len() as u64), "{said}");
        assert!(before.len() as u64 >= firsts[1] - 1, "{} before: {said}", before.len());
        assert!(after.iter().copied().eq(firsts[2]..=1000), "{said}");
        let broken = root.join("broken.wal");
        for (dir, code) in [(&broken, 0), (&orders, 4)] {
            let found = wal(["verify"]).arg(dir).output().unwrap();
            assert_eq!(found.status.code(), Some(code), "{}", dir.display());
        }
    }
}
