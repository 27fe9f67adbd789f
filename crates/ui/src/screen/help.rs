//! The words, the states of a bundle and what leads from one to the next, and the keys. The picture is in [`picture`].
//!
//! Invariant: nothing here is a second copy: the words are those of GLOSSARY.md, the life cycle is the table that the rules
//! use.

mod picture;

use crate::Ui;
use crate::failure::Failure;
use crate::format::Markup;
use crate::frame::{Frame, show};
use crate::visitor::Visitor;
use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use domain::{BundleStatus, TRANSITIONS};
use picture::Picture;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};
use std::sync::LazyLock;

const GLOSSARY: &str = include_str!("../../../../GLOSSARY.md");

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/help", get(help))
}

#[derive(Template)]
#[template(path = "help.html")]
struct Page {
    frame: Frame,
    picture: Picture,
    states: Vec<State>,
    words: &'static [Word],
}

/// A word of the glossary.
struct Word {
    word: Markup,
    meaning: Markup,
}

struct State {
    status: BundleStatus,
    meaning: &'static str,
    counts: bool,
    next: Vec<String>,
}

static WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| words(GLOSSARY));

async fn help(visitor: Visitor) -> Result<Response, Failure> {
    let states = BundleStatus::ALL.iter().map(|status| State::of(*status)).collect();
    let frame = Frame::of(&visitor, "Help", "/ui/help");
    show(&Page { frame, picture: Picture::of_life_cycle(), states, words: &WORDS })
}

impl State {
    fn of(status: BundleStatus) -> Self {
        let steps = TRANSITIONS.iter().filter(|(_, from, _)| *from == status);
        let mut next: Vec<String> = steps.map(|(step, _, to)| format!("{}: {}", step.name(), to.name())).collect();
        if status.may_expire() {
            next.push(format!("in time: {}", BundleStatus::Expired.name()));
        }
        Self { status, meaning: meaning(status), counts: status.is_live(), next }
    }
}

const fn meaning(status: BundleStatus) -> &'static str {
    match status {
        BundleStatus::Active => "Held by an account, which may transfer or cancel it.",
        BundleStatus::Cancelled => "Used up, once and for ever, for the beneficiary that it states.",
        BundleStatus::Claimed => "Cancelled, and the beneficiary stated that it covered their own consumption.",
        BundleStatus::Expired => "Its time ran out: it can no longer be transferred or cancelled.",
        BundleStatus::Withdrawn => "Taken back by the issuer: it should not have been issued. Final.",
        BundleStatus::Locked => "Held fast by the issuer: nothing can be done with it until it is unlocked.",
        BundleStatus::Reserved => "Set aside for another registry. There is no way back.",
        BundleStatus::Split => "Divided into two bundles that took over its certificates and its state. Final.",
    }
}

/// The rows of the tables of a text: the first cell is the word, the second what it means.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let (mut cells, mut cell, mut is_in_row) = (Vec::new(), Vec::new(), false);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableRow) => is_in_row = true,
            Event::End(TagEnd::TableRow) => {
                is_in_row = false;
                let mut row = std::mem::take(&mut cells).into_iter();
                if let (Some(word), Some(meaning)) = (row.next(), row.next()) {
                    words.push(Word { word, meaning });
                }
            }
            Event::Start(Tag::TableCell) => {}
            Event::End(TagEnd::TableCell) if is_in_row => {
                let mut made = String::new();
                html::push_html(&mut made, cell.drain(..));
                cells.push(Markup::of_ours(made));
            }
            inside if is_in_row => cell.push(inside),
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_table_are_words_with_their_markup() {
        let text =
            "# Words\n\nA **text**.\n\n| word | meaning |\n| --- | --- |\n| **a** | One, `b` & c. |\n| d | Two |\n";
        let found: Vec<_> = words(text).iter().map(|word| (word.word.to_string(), word.meaning.to_string())).collect();
        let expected = [("<strong>a</strong>", "One, <code>b</code> &amp; c."), ("d", "Two")];
        assert_eq!(found, expected.map(|(word, meaning)| (word.to_owned(), meaning.to_owned())));
    }

    #[test]
    fn every_word_of_the_glossary_is_there() {
        let rows = GLOSSARY.lines().filter(|line| line.starts_with("| ")).count();
        // Without the head and the line under it.
        assert_eq!(WORDS.len(), rows - 2);
        assert!(WORDS.iter().any(|word| word.word.to_string() == "<strong>bundle</strong>"));
    }

    #[test]
    fn a_state_says_all_that_may_follow() {
        let of = |status| State::of(status).next.len();
        let steps: usize = BundleStatus::ALL.iter().map(|status| of(*status)).sum();
        assert_eq!(steps, TRANSITIONS.len() + 2, "all steps, and two states that expire");
        assert_eq!((of(BundleStatus::Withdrawn), of(BundleStatus::Split)), (0, 0));
    }
}
