//! The laws for codecs: one that is right keeps them, every one that lies breaks the one that is
//! there for it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod proof;

use wal_core::{Codec, CodecId, Result};
use wal_testkit::liars::{CodecLie, LyingCodec, Note};
use wal_testkit::{
    CODEC_LAWS, CodecLaw, CodecUnderTest, Need, Place, Pure, Sample, Samples, Verdict, codec_laws,
};

/// Any bytes are a record.
#[derive(Debug)]
struct Plain;

impl Codec<Vec<u8>> for Plain {
    fn id(&self) -> CodecId {
        CodecId::RAW
    }

    fn encode(&self, record: &Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        out.extend(record);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        Ok(bytes.to_vec())
    }
}

codec_laws!(without_a_lie, || Samples::new(LyingCodec::new(CodecLie::None), Note::new));
codec_laws!(plain, || Samples::new(Plain, Sample::bytes), without[end]);

#[test]
fn every_lie_is_caught() {
    let place = |lie| -> Box<dyn Place<dyn CodecUnderTest>> {
        Box::new(Pure(move || Samples::new(LyingCodec::new(lie), Note::new)))
    };
    proof::every_lie_is_caught(CODEC_LAWS, CodecLie::ALL, &place);
}

#[test]
fn every_law_catches_a_lie() {
    proof::every_law_catches_a_lie(CODEC_LAWS, CodecLie::ALL);
}

/// What is admitted of a part itself is found out by running the law.
#[test]
fn an_admission_about_the_codec_is_checked() {
    let law = |name| CODEC_LAWS.iter().find(|law: &&CodecLaw| law.name() == name).unwrap();
    let law = law("a_part_of_a_record_is_refused");
    let plain = || -> Box<dyn Place<dyn CodecUnderTest>> {
        Box::new(Pure(|| Samples::new(Plain, Sample::bytes)))
    };
    let framed = || -> Box<dyn Place<dyn CodecUnderTest>> {
        Box::new(Pure(|| Samples::new(LyingCodec::new(CodecLie::None), Note::new)))
    };
    assert_eq!(law.run(&plain, &[Need::End]).unwrap(), Verdict::Admitted);
    assert!(law.run(&plain, &[]).unwrap_err().saw().contains("without [end]"));
    assert_eq!(law.run(&framed, &[]).unwrap(), Verdict::Holds);
    assert!(law.run(&framed, &[Need::End]).unwrap_err().saw().contains("not true"));
}

#[test]
fn a_report_names_the_seed() {
    let lying = || -> Box<dyn Place<dyn CodecUnderTest>> {
        Box::new(Pure(|| Samples::new(LyingCodec::new(CodecLie::NumberIsCut), Note::new)))
    };
    let law = CODEC_LAWS.iter().find(|law| law.name() == "a_record_comes_back").unwrap();
    let breach = law.run(&lying, &[]).unwrap_err();
    let seed = breach.seed().unwrap();
    let report = breach.to_string();
    for part in [
        "law broken: codec/a_record_comes_back".to_owned(),
        "promise: what was encoded decodes to an equal record".to_owned(),
        "part: LyingCodec { lie: NumberIsCut".to_owned(),
        "saw: the record decoded: saw Other, wanted Same".to_owned(),
        "1. encode a record:".to_owned(),
        format!("seed: {seed}\n"),
        format!("again: WAL_SEED={seed} cargo test a_record_comes_back"),
    ] {
        assert!(report.contains(&part), "no {part:?} in\n{report}");
    }
}
