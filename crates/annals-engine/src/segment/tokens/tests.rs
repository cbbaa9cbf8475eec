//! A column of tokens gives back what was written, and searching it agrees with searching the texts.

#![expect(clippy::cast_possible_truncation, reason = "numbers of a test are small")]

use std::sync::Arc;

use proptest::prelude::*;

use super::super::layout::CHUNK_SIZE;
use super::super::sealed::Ends;
use super::super::tests::{Random, STORE, meta};
use super::super::writer::SegmentWriter;
use super::*;
use crate::error::ErrorKind;
use crate::filter::text::TextTest;
use crate::rows::RowSet;
use crate::storage::{OsStorage, Storage};

/// A file with nothing but one column of tokens in it.
struct Fixture {
    file: CheckedFile,
    column: TokenColumn,
    footer: Footer,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// The column once more, with nothing kept.
    fn column(&self) -> TokenColumn {
        TokenColumn::new(&self.footer, Stream::Message).unwrap().unwrap()
    }

    /// What lies under checksums.
    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.file.path()).unwrap()[..self.footer.data_end as usize].to_vec()
    }
}

fn fixture(texts: impl Iterator<Item = Option<String>>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.seg");
    let storage = OsStorage::new();
    let mut writer = SegmentWriter::create(&storage, &path, &meta(1)).unwrap();
    let mut coder = TokenCoder::new();
    for text in texts {
        coder.push(text.as_deref().map(str::as_bytes));
    }
    let rows = coder.rows();
    let plan = coder.plan();
    coder.write(&plan, &mut writer, Stream::Message).unwrap();
    let footer = Footer {
        rows,
        created_at_min_us: 0,
        created_at_max_us: 0,
        sequence_min: 0,
        sequence_max: 0,
        sequences_ascend: true,
        ids_made: true,
        is_packed: false,
        data_end: 0,
        chunk_table_crc: 0,
        fields: Vec::new(),
        sections: Vec::new(),
    };
    writer.finish(footer).unwrap();
    let map = storage.open(&path, false).unwrap().map_sealed().unwrap();
    let ends = Ends::read(&map, &map, 0, (STORE, 1), None).unwrap();
    let column = TokenColumn::new(&ends.footer, Stream::Message).unwrap().unwrap();
    let file = CheckedFile::new(map, &path, to_usize(ends.footer.data_end), ends.crcs);
    Fixture { file, column, footer: ends.footer, _folder: folder }
}

/// Words of which few are frequent and many rare, with everything that could be split or folded wrongly.
fn word(random: &mut Random, distinct: u64) -> String {
    const ODD: [&str; 14] = [
        "",
        "Σ",
        "ΑΣ",
        "aΣb",
        "İ",
        "ı",
        "ß",
        "É",
        "é\u{301}",
        "\u{200d}Σ",
        "Σ\u{301}",
        "\u{fffd}",
        "a\u{a0}b",
        "longer-than-eight-Bytes",
    ];
    let frequent = random.below(7) + 1;
    match random.below(12) {
        0 => ODD[random.below(14) as usize].to_owned(),
        1 | 2 => format!("{}", random.below(distinct)),
        3 => format!("Host{}", random.below(distinct)),
        _ => format!("w{}", random.below(frequent)),
    }
}

fn text(random: &mut Random, distinct: u64) -> Option<String> {
    match random.below(14) {
        0 => None,
        1 => Some(String::new()),
        2 => Some(" ".repeat(random.below(4) as usize)),
        3 => Some((0..random.below(300)).map(|_| word(random, distinct)).collect::<Vec<_>>().join(" ")),
        _ => Some((0..=random.below(8)).map(|_| word(random, distinct)).collect::<Vec<_>>().join(" ")),
    }
}

/// A part of a text, or something like it.
fn needle(random: &mut Random, texts: &[Option<String>]) -> String {
    let text = texts[random.below(texts.len() as u64) as usize].clone().unwrap_or_default();
    let cut: Vec<char> = text.chars().collect();
    let (a, b) = (random.below(cut.len() as u64 + 1) as usize, random.below(cut.len() as u64 + 1) as usize);
    let part: String = cut[a.min(b)..a.max(b).min(a.min(b) + 20)].iter().collect();
    match random.below(8) {
        0 => part.to_uppercase(),
        1 => format!("{part} "),
        2 => format!(" {part}"),
        3 => word(random, 40),
        4 => text,
        5 => ["", " ", "  ", "w", "ς", "σ", "i̇", "s", "w1 w2", "w1 1", "1 w", "nothing has this"]
            [random.below(12) as usize]
            .to_owned(),
        _ => part,
    }
}

fn candidates(random: &mut Random, rows: u32) -> RowSet {
    let picked = |random: &mut Random, odds| (0..rows).filter(|_| random.one_in(odds)).collect::<Vec<u32>>();
    match random.below(5) {
        0 => RowSet::from_sorted(picked(random, 80)),
        1 => RowSet::from_bitmap(picked(random, 2).into_iter().collect()),
        2 => RowSet::from_range(rows / 3..rows / 2 + 1),
        _ => RowSet::from_range(0..rows),
    }
}

fn check(seed: u64, rows: u64, distinct: u64) {
    let mut random = Random(seed);
    let texts: Vec<Option<String>> = (0..rows).map(|_| text(&mut random, distinct)).collect();
    let fixture = fixture(texts.iter().cloned());
    let (column, file) = (&fixture.column, &fixture.file);
    column.verify(file).unwrap();
    let mut buffer = RowBuffer::default();
    for (row, text) in (0..).zip(&texts) {
        assert_eq!(column.text(file, row, &mut buffer).unwrap(), text.as_deref().map(str::as_bytes), "row {row}");
    }
    for _ in 0..40 {
        let needle = needle(&mut random, &texts);
        let questions = [TextTest::contains(&needle), TextTest::Equals(needle.as_bytes())];
        let candidates = candidates(&mut random, rows as u32);
        for test in questions {
            let found = column.search(file, &candidates, &test).unwrap();
            let decoded = column.decoded(file, &candidates, &test).unwrap();
            assert_eq!(found, decoded, "seed {seed}: {test:?} among {} rows", candidates.len());
            let mut scratch = Vec::new();
            let naive = candidates.iter().filter(|row| {
                texts[*row as usize].as_ref().is_some_and(|text| test.passes(text.as_bytes(), &mut scratch))
            });
            assert!(decoded.iter().eq(naive));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_search_among_codes_agrees_with_one_in_the_texts(seed: u64, rows in 1_u64..700, distinct in 1_u64..400) {
        check(seed, rows, distinct);
    }
}

#[test]
fn long_columns_agree_as_well() {
    check(1, 6_000, 3_000);
    check(2, 5_000, 60);
}

/// Asks a column whose bytes may be anything, behind right checksums, for everything.
fn ask(fixture: &Fixture, bytes: Vec<u8>) {
    let crcs = bytes.chunks(CHUNK_SIZE).map(crc32fast::hash).collect();
    let (column, len) = (fixture.column(), bytes.len());
    let file = CheckedFile::new(Arc::new(bytes), fixture.file.path(), len, crcs);
    let rows = fixture.footer.rows;
    let all = RowSet::from_range(0..rows);
    let mut buffer = RowBuffer::default();
    let mut readable = true;
    for row in 0..rows {
        readable &= column.text(&file, row, &mut buffer).is_ok();
    }
    let sound = readable && column.verify(&file).is_ok();
    for needle in ["", "w", "w1 w2", "1", "12", "host1 w", "é", "w1"] {
        for test in [TextTest::contains(needle), TextTest::Equals(needle.as_bytes())] {
            match column.search(&file, &all, &test) {
                Ok(found) if sound => assert_eq!(found, column.decoded(&file, &all, &test).unwrap()),
                Ok(found) => assert!(found.iter().all(|row| row < rows)),
                Err(error) => assert!(!sound && error.kind() == ErrorKind::Corrupt, "{error}"),
            }
        }
    }
}

#[test]
fn bytes_that_say_anything_cause_no_panic_and_what_verifies_is_found() {
    let mut random = Random(9);
    let texts: Vec<Option<String>> = (0..150).map(|_| text(&mut random, 50)).collect();
    let fixture = fixture(texts.into_iter());
    let sound = fixture.bytes();
    ask(&fixture, sound.clone());
    let first = fixture.footer.sections.first().unwrap().offset as usize;
    for position in (first..sound.len()).step_by(5) {
        let mut bytes = sound.clone();
        bytes[position] ^= 1 << random.below(8);
        ask(&fixture, bytes);
    }
    for _ in 0..100 {
        let mut bytes = sound.clone();
        for _ in 0..20 {
            let position = first + random.below((sound.len() - first) as u64) as usize;
            bytes[position] = random.next() as u8;
        }
        ask(&fixture, bytes);
    }
}

#[test]
fn a_footer_that_contradicts_itself_is_refused() {
    let mut random = Random(4);
    let fixture = fixture((0..200).map(|_| text(&mut random, 50)));
    for index in 0..fixture.footer.sections.len() {
        let changes: [fn(&mut Section); 5] = [
            |section| section.count += 1,
            |section| section.count = u64::MAX,
            |section| section.len = 0,
            |section| section.width = section.width.wrapping_add(17),
            |section| section.kind = 99,
        ];
        let mut refused = 0;
        for change in changes {
            let mut footer = fixture.footer.clone();
            change(&mut footer.sections[index]);
            match TokenColumn::new(&footer, Stream::Message) {
                Err(error) => refused += usize::from(error.kind() == ErrorKind::Corrupt),
                // Without its codes the stream is none of tokens.
                Ok(column) => refused += usize::from(column.is_none()),
            }
        }
        assert!(refused >= 3, "section {index}: {refused} of {} are noticed", changes.len());
    }
}

#[test]
fn rows_without_a_text_do_not_decide_for_those_that_have_one() {
    let path = std::path::Path::new("1.seg");
    let texts = |absent: u32| {
        let mut random = Random(4);
        let mut coder = TokenCoder::new();
        for row in 0..absent + 20_000 {
            let mut number = |below| random.below(below);
            let text = format!(
                "user {} opened file {} of folder {} in {} ms with {} retries",
                number(200),
                number(3000),
                number(40),
                number(900),
                number(5)
            );
            coder.push((row >= absent).then_some(text.as_bytes()));
            assert!(!coder.gives_up(path).unwrap(), "row {row} behind {absent} without a text");
        }
        coder.worth_it(path).unwrap().is_some()
    };
    assert!(texts(0));
    assert!(texts(6000));
}

#[test]
fn texts_that_are_no_words_are_refused_behind_rows_without_one() {
    let path = std::path::Path::new("1.seg");
    let (mut random, mut coder) = (Random(4), TokenCoder::new());
    let mut gave_up = None;
    for row in 0..20_000_u32 {
        let text = format!("{:016x}{:016x}", random.next(), random.next());
        coder.push((row >= 6000).then_some(text.as_bytes()));
        if coder.gives_up(path).unwrap() {
            gave_up = Some(row);
            break;
        }
    }
    assert!(gave_up.is_some() || coder.worth_it(path).unwrap().is_none(), "{gave_up:?}");
}
