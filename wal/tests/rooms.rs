//! The rooms of the house: who may depend on whom. Reads the manifests, so that a dependency added
//! in passing fails here and not in a review.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Crates that know `wal-core` and none of each other.
const SIBLINGS: [&str; 5] = ["wal-codec", "wal-segment", "wal-commit", "wal-replay", "wal-testkit"];

/// Everything `wal-core` may depend on: no file, no thread, no clock, no runtime comes with these.
const LIGHT: [&str; 2] = ["bytes", "crc32c"];

/// Seen by no build but one that names them: each may come for the `cfg` of its own name.
const MODEL_CHECKERS: [&str; 2] = ["loom", "shuttle"];

fn manifest(package: &str) -> toml::Table {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap();
    text.parse().unwrap()
}

/// The dependencies in these tables of a manifest, those of targets included.
fn dependencies(manifest: &toml::Table, tables: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut collect = |table: &toml::Table| {
        for name in tables {
            if let Some(toml::Value::Table(dependencies)) = table.get(*name) {
                for (name, how) in dependencies {
                    let package = how.get("package").and_then(toml::Value::as_str);
                    found.insert(package.unwrap_or(name).to_owned());
                }
            }
        }
    };
    collect(manifest);
    if let Some(toml::Value::Table(targets)) = manifest.get("target") {
        for (target, table) in targets {
            let mut table = table.as_table().cloned().unwrap_or_default();
            for checker in MODEL_CHECKERS.iter().filter(|name| *target == format!("cfg({name})")) {
                if let Some(toml::Value::Table(own)) = table.get_mut("dependencies") {
                    own.remove(*checker);
                }
            }
            collect(&table);
        }
    }
    found
}

/// What is wrong with a manifest, if anything.
fn verdict(package: &str, manifest: &toml::Table) -> Result<(), String> {
    let normal = dependencies(manifest, &["dependencies", "build-dependencies"]);
    let dev = dependencies(manifest, &["dev-dependencies"]);
    if package == "wal-core" {
        let heavy: Vec<_> = normal.iter().filter(|name| !LIGHT.contains(&name.as_str())).collect();
        return if heavy.is_empty() { Ok(()) } else { Err(format!("wal-core: {heavy:?}")) };
    }
    let ours = |names: &BTreeSet<String>| -> BTreeSet<String> {
        names.iter().filter(|name| *name == "wal" || name.starts_with("wal-")).cloned().collect()
    };
    let mut known = ours(&normal);
    known.remove("wal-core");
    // The one exception: the kit's binaries search and stress the assembled log. The library
    // knows nothing of it, and who takes the kit without its feature `search` does not get it.
    let optional = manifest
        .get("dependencies")
        .and_then(|dependencies| dependencies.get("wal")?.get("optional")?.as_bool());
    if package == "wal-testkit" && optional == Some(true) {
        known.remove("wal");
    }
    let mut tested_with = ours(&dev);
    tested_with.remove("wal-core");
    tested_with.remove("wal-testkit");
    if known.is_empty() && tested_with.is_empty() {
        return Ok(());
    }
    Err(format!("{package} knows {known:?} and is tested with {tested_with:?}"))
}

#[test]
fn siblings_know_wal_core_only_and_wal_core_nobody() {
    for package in SIBLINGS.into_iter().chain(["wal-core"]) {
        verdict(package, &manifest(package)).unwrap();
    }
}

#[test]
fn every_member_of_the_workspace_is_in_a_room() {
    let workspace = manifest(".");
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let composing = ["wal", "wal-cli", "benches"];
    for member in members.iter().filter_map(toml::Value::as_str) {
        let known =
            member == "wal-core" || SIBLINGS.contains(&member) || composing.contains(&member);
        assert!(known, "{member} is in no room: say in this test whom it may know");
    }
}

/// `system` of wal-segment alone may have unsafe code: its crate denies it where the others forbid
/// it, and has the other lints as they are.
#[test]
fn unsafe_code_is_in_one_module() {
    let workspace = manifest(".");
    let lints = &workspace["workspace"]["lints"];
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        let manifest = manifest(member);
        if member != "wal-segment" {
            assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{member}");
            continue;
        }
        let mut same = lints.clone();
        assert_eq!(same["rust"]["unsafe_code"].as_str(), Some("forbid"));
        same["rust"]["unsafe_code"] = "deny".into();
        assert_eq!(manifest["lints"], same, "{member}");
    }
    let mut allowed = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../wal-segment")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && fs::read_to_string(&path).unwrap().contains("unsafe_code")
            {
                allowed.push(path);
            }
        }
    }
    let one = allowed.len() == 1 && allowed[0].ends_with("src/system/mod.rs");
    assert!(one, "allowed in {allowed:?}");
}

/// The check itself can fail.
#[test]
fn a_sibling_that_knows_a_sibling_is_caught() {
    let cases = [
        ("wal-commit", "[dependencies]\nwal-segment.workspace = true"),
        ("wal-codec", "[dev-dependencies]\nwal = { path = \"../wal\" }"),
        ("wal-replay", "[target.'cfg(unix)'.dependencies]\nwal-codec = \"1\""),
        ("wal-segment", "[dependencies]\nparts = { package = \"wal-commit\", path = \"x\" }"),
        ("wal-testkit", "[dependencies]\nwal.workspace = true"),
        ("wal-commit", "[dependencies]\nwal = { workspace = true, optional = true }"),
        ("wal-core", "[dependencies]\ntokio = \"1\""),
        ("wal-core", "[build-dependencies]\ncc = \"1\""),
        ("wal-core", "[dependencies]\nloom = \"0.7\""),
        ("wal-core", "[target.'cfg(unix)'.dependencies]\nloom = \"0.7\""),
        ("wal-core", "[target.'cfg(loom)'.dependencies]\ntokio = \"1\""),
    ];
    for (package, text) in cases {
        assert!(verdict(package, &text.parse().unwrap()).is_err(), "{package}: {text}");
    }
}
