//! `Operation` in a format that describes itself.

use wal_codec::Operation;

use crate::random::Random;

#[test]
fn an_operation_comes_back_from_json() {
    for seed in 0..200 {
        let operation = Random::new(seed).operation();
        let text = serde_json::to_string(&operation).unwrap();
        assert_eq!(serde_json::from_str::<Operation>(&text).unwrap(), operation, "seed {seed}");
    }
    let text = serde_json::to_string(&Operation::delete("t", b"k").at(9)).unwrap();
    assert_eq!(text, r#"{"Delete":{"timestamp":9,"transaction":null,"table":"t","key":[107]}}"#);
}
