//! The corpora, as plain tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, panic};

use fuzz_targets::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

#[test]
fn every_input_of_every_corpus() {
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        let mut files: Vec<_> =
            fs::read_dir(corpus().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let data = fs::read(&file).unwrap();
            if panic::catch_unwind(|| target(&data)).is_err() {
                failed.push(format!("{name}/{}", file.file_name().unwrap().display()));
            }
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

/// Cuts every input short at each byte, as a lost connection would.
#[test]
fn every_input_cut_short() {
    for (name, target) in TARGETS {
        for entry in fs::read_dir(corpus().join(name)).unwrap() {
            let data = fs::read(entry.unwrap().path()).unwrap();
            for end in (0..data.len().min(600)).step_by(7) {
                target(&data[..end]);
            }
        }
    }
}

/// Splices and damages the inputs, always in the same ways. `DRAGOMAN_FUZZ_ROUNDS` asks for more.
#[test]
fn every_input_damaged() {
    let rounds = std::env::var("DRAGOMAN_FUZZ_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    for (name, target) in TARGETS {
        let mut files: Vec<_> =
            fs::read_dir(corpus().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let inputs: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for round in 0..rounds {
            for (file, input) in files.iter().zip(&inputs).filter(|(_, input)| input.len() < 4_000) {
                let other = &inputs[dice.below(inputs.len())];
                let data = damaged(input, other, &mut dice);
                if panic::catch_unwind(|| target(&data)).is_err() {
                    let shown = String::from_utf8_lossy(&data);
                    panic!("{name}/{} in round {round}: {shown}", file.file_name().unwrap().display());
                }
            }
        }
    }
}

/// A small generator (xorshift), for runs that repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap_or_default()
    }
}

fn damaged(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    const MARKS: &[u8] = b"<>&;*_~`|@#!:\"'{}[](),\\/\n 0";
    let mut data = input.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(data.len());
        let until = (at + 1 + dice.below(40)).min(data.len());
        match dice.below(5) {
            0 => drop(data.drain(at..until)),
            1 => data.insert(at, MARKS[dice.below(MARKS.len())]),
            2 => {
                let part = data[at.min(until)..until].to_vec();
                data.splice(at..at, part);
            }
            3 => {
                let from = dice.below(other.len());
                let part = &other[from..(from + dice.below(60)).min(other.len())];
                data.splice(at..at, part.iter().copied());
            }
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte = MARKS[dice.below(MARKS.len())];
                }
            }
        }
    }
    data
}

#[test]
fn every_corpus_has_a_target_that_the_fuzzer_runs() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |folder: PathBuf| -> BTreeSet<String> {
        let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        fs::read_dir(folder).unwrap().map(|entry| stem(entry.unwrap().path())).collect()
    };
    assert_eq!(listed(corpus()), names);
    assert_eq!(listed(corpus().join("../fuzz_targets")), names);
    let manifest = fs::read_to_string(corpus().join("../Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is missing in fuzz/Cargo.toml");
    }
}
