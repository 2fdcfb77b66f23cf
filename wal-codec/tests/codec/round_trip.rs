//! What was encoded decodes to an equal record.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use wal_codec::Operation;

use crate::user::Order;
use crate::{laid, read};

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let bytes = || vec(any::<u8>(), 0..300);
    let fields = (0..7_u8, any::<Option<u64>>(), any::<u64>(), ".{0,40}", bytes(), bytes());
    fields.prop_map(|(kind, transaction, timestamp, table, key, tuple)| match (kind, transaction) {
        (0, transaction) => Operation::Put { timestamp, transaction, table, key, tuple },
        (1, transaction) => Operation::Update { timestamp, transaction, table, key, tuple },
        (3, Some(transaction)) => Operation::Begin { timestamp, transaction },
        (4, Some(transaction)) => Operation::Prepare { timestamp, transaction },
        (5, Some(transaction)) => Operation::Commit { timestamp, transaction },
        (6, Some(transaction)) => Operation::Abort { timestamp, transaction },
        (_, transaction) => Operation::Delete { timestamp, transaction, table, key },
    })
}

fn order() -> impl Strategy<Value = Order> {
    let bytes = || vec(any::<u8>(), 0..300);
    let numbers = (any::<(u8, u16, u32)>(), any::<u64>(), any::<u128>(), any::<(i16, i32, i64)>());
    let text = (any::<Option<String>>(), bytes(), bytes(), vec(any::<(u64, String)>(), 0..5));
    (any::<bool>(), numbers, any::<[u8; 3]>(), text).prop_map(|(flag, numbers, mark, text)| {
        let (small, id, uuid, signed) = numbers;
        let (name, blob, body, lines) = text;
        Order { flag, small, id, uuid, signed, mark, name, blob, body: Bytes::from(body), lines }
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_operation_comes_back(operation in operation()) {
        prop_assert_eq!(read::<Operation>(&laid(&operation)).unwrap(), operation);
    }

    #[test]
    fn a_users_record_comes_back_and_no_prefix_of_it_is_one(order in order()) {
        let bytes = laid(&order);
        prop_assert_eq!(read::<Order>(&bytes).unwrap(), order);
        for len in 0..bytes.len() {
            prop_assert!(read::<Order>(&bytes[..len]).is_err(), "{} of {}", len, bytes.len());
        }
    }

    /// Integers whose top bits matter are rare among records of many fields.
    #[test]
    fn an_integer_comes_back(unsigned in any::<u64>(), shift in 0..64_u32) {
        let number = unsigned >> shift;
        prop_assert_eq!(read::<u64>(&laid(&number)).unwrap(), number);
        let number = unsigned.cast_signed() >> shift;
        prop_assert_eq!(read::<i64>(&laid(&number)).unwrap(), number);
    }
}

#[test]
fn the_ends_of_every_integer_come_back() {
    macro_rules! ends {
        ($($integer:ty)+) => {$(
            for number in [<$integer>::MIN, <$integer>::MAX, 0, 1, 63, 64, 127] {
                assert_eq!(read::<$integer>(&laid(&number)).unwrap(), number);
            }
        )+};
    }
    ends!(u8 u16 u32 u64 u128 i16 i32 i64);
}
