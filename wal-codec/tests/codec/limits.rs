//! What cannot be encoded whole is refused.

use wal_codec::{Binary, Input, Layout, Operation, put_list};
use wal_core::{Codec, ErrorKind, Result};

use crate::{laid, read};

/// An earlier format of this kind cut a table's name to sixteen bits of length: a name of 65 536
/// bytes became an empty one, and every field behind it was read from the wrong place.
#[test]
fn a_table_name_over_the_limit_is_refused_not_cut() {
    let longest = "t".repeat(Operation::TABLE_MAX);
    let put = Operation::put(longest.clone(), b"k", b"v");
    assert_eq!(read::<Operation>(&laid(&put)).unwrap(), put);

    let too_long = longest + "t";
    let operations = [
        Operation::put(too_long.clone(), b"k", b"v"),
        Operation::update(too_long.clone(), b"k", b"v"),
        Operation::delete(too_long.clone(), b"k"),
    ];
    for operation in operations {
        let error = Binary.encode(&operation, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            "a table name of 65536 bytes is longer than the limit of 65535"
        );
    }

    let mut forged = vec![0x13, 0, 0, 0, 0, 0, 0, 0, 0];
    (too_long, Vec::new()).encode(&mut forged).unwrap();
    assert_eq!(read::<Operation>(&forged).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// A value that takes no bytes.
#[derive(Debug)]
struct Nothing;

impl Layout for Nothing {
    fn encode(&self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn decode(_input: &mut Input<'_>) -> Result<Self> {
        Ok(Self)
    }
}

/// A claimed number of items that take no bytes could not be checked against anything.
#[test]
fn a_list_of_nothing_is_refused_on_both_ways() {
    let error = put_list(&mut Vec::new(), &[Nothing, Nothing]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let error = Input::new(&[2, 0, 0]).list::<Nothing>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    put_list::<Nothing>(&mut Vec::new(), &[]).unwrap();
}

/// Records hold what must not end up in a program's own log, and may be large.
#[test]
fn debug_shows_sizes() {
    let shown = format!("{:?}", Operation::put("secrets", b"key", b"tuple").within(3));
    assert_eq!(
        shown,
        "Put { timestamp: 0, transaction: Some(3), table_bytes: 7, key_bytes: 3, tuple_bytes: 5 }"
    );
    assert_eq!(format!("{:?}", Input::new(b"secret")), "Input { remaining: 6 }");
}

/// The accessors say what the variants hold.
#[test]
fn an_operation_says_what_it_is_about() {
    let update = Operation::update("t", b"k", b"v").at(1).within(2);
    assert_eq!((update.timestamp(), update.transaction()), (1, Some(2)));
    assert_eq!((update.row(), update.tuple()), (Some(("t", &b"k"[..])), Some(&b"v"[..])));
    let delete = Operation::delete("t", b"k");
    assert_eq!((delete.row(), delete.tuple()), (Some(("t", &b"k"[..])), None));
    assert_eq!(delete.transaction(), None);
    let commit = Operation::commit(1).within(2);
    assert_eq!((commit.transaction(), commit.row(), commit.tuple()), (Some(2), None, None));
}
