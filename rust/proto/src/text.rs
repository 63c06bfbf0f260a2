//! The text form of messages: one line each, and it parses back (docs/protocol.md, section 4).
//!
//! Transcripts are written in it and logs speak it. [`print()`] appends a line. Parsing takes two steps, as a
//! message borrows its strings: [`Line::read`] undoes the quoting, [`Line::message`] borrows from what
//! it kept.

mod parse;
mod print;

pub use self::parse::Line;
pub use self::print::print;

/// Qid type bits from the highest down.
const LETTERS: &str = "dalmAtsk";

fn is_bits(field: &str) -> bool {
    matches!(field, "mode" | "perm" | "flags" | "request_mask" | "valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::UsageError;
    use crate::ids::{Fid, NONUNAME, Qid, Tag};
    use crate::message::{Message, Rread, Rstat, Rwalk, Stat, Tattach, Topen, Twalk};
    use crate::message::{Names, Qids};

    fn text(tag: Tag, message: impl Into<Message<'static>>) -> String {
        let mut out = String::new();
        print(tag, &message.into(), &mut out);
        out
    }

    #[test]
    fn a_message_prints_as_the_protocol_page_shows_it_and_parses_back() {
        let qid = |kind, path| Qid { kind, vers: 0, path };
        let stat = Stat {
            kind: 73,
            dev: 0,
            qid: qid(0, 0xac),
            mode: 0o660,
            atime: 0,
            mtime: 0,
            length: 0,
            name: "ctl",
            uid: "glenda",
            gid: "glenda",
            muid: "glenda",
            ..Stat::DONT_TOUCH
        };
        let n_uname = NONUNAME;
        let attach = Tattach { fid: Fid(0), afid: Fid::NOFID, uname: "glenda", aname: "", n_uname };
        let names = Names::new(&["tcp", "clone"]).unwrap();
        let qids = Qids::new(&[qid(0x80, 8), qid(0, 9)]).unwrap();
        let lines = [
            (
                text(Tag(0), attach),
                r#"Tattach tag 0 fid 0 afid NOFID uname "glenda" aname "" n_uname 4294967295"#,
            ),
            (
                text(Tag(1), Twalk { fid: Fid(0), newfid: Fid(1), wname: names }),
                r#"Twalk tag 1 fid 0 newfid 1 wname ["tcp" "clone"]"#,
            ),
            (
                text(Tag(1), Rwalk { wqid: qids }),
                "Rwalk tag 1 wqid [(0000000000000008 0 d) (0000000000000009 0 -)]",
            ),
            (text(Tag(1), Topen { fid: Fid(1), mode: 2 }), "Topen tag 1 fid 1 mode 0x2"),
            (text(Tag(1), Rread { data: b"\0\xff\n" }), r#"Rread tag 1 data "\x00\xff\n""#),
            (
                text(Tag(1), Rstat { stat }),
                "Rstat tag 1 stat {type 73 dev 0 qid (00000000000000ac 0 -) mode 0x1b0 atime 0 \
                 mtime 0 length 0 name \"ctl\" uid \"glenda\" gid \"glenda\" muid \"glenda\" \
                 extension \"\" n_uid 4294967295 n_gid 4294967295 n_muid 4294967295}",
            ),
        ];
        for (printed, wanted) in lines {
            assert_eq!(printed, wanted);
            let line = Line::read(&printed).unwrap();
            let (tag, message) = line.message().unwrap();
            let mut again = String::new();
            print(tag, &message, &mut again);
            assert_eq!(again, wanted);
        }
    }

    #[test]
    fn a_text_that_does_not_parse_names_the_place() {
        let place = |text: &str| {
            let parsed = Line::read(text).and_then(|line| line.message().map(|_| ()));
            match parsed {
                Err(UsageError::Text { place, .. }) => place,
                other => panic!("{text} gave {other:?}"),
            }
        };
        assert_eq!(place("Tnone tag 1"), 0);
        assert_eq!(place("Tclunk tag 1 fid x"), 17);
        assert_eq!(place("Tclunk tag 65536 fid 1"), 11);
        assert_eq!(place("Tclunk tag 1 fid 1 more"), 19);
        assert_eq!(place("Tclunk tag 1 fid"), 16);
        assert_eq!(place(r#"Rread tag 1 data "\q""#), 18);
        assert_eq!(place("Rread tag 1 data \"\u{100}\""), 17);
        assert_eq!(place(r#"Rread tag 1 data "open"#), 17);
    }
}
