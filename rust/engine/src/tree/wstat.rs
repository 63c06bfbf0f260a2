//! What Twstat and Tsetattr may change (stat(5); docs/tree.md, section 4).
//!
//! Only mode and owner of a conversation in use, which is how a server hands one to another user.
//! Everything else is refused, but for requests that ask for nothing here: a wstat of all "don't
//! touch" is a sync, and a length of 0, with times beside it, is how a shell's `echo >` arrives.

use netrelay_proto::error::Refusal;
use netrelay_proto::message::{Stat, Tsetattr};

use super::Facts;
use super::qid::{File, Node};

/// What a permitted request changes of a conversation's standing; nothing is a legal change.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Change<'a> {
    /// The permission bits from now on.
    pub(crate) mode: Option<u32>,
    /// The owner from now on.
    pub(crate) owner: Option<&'a str>,
}

/// What a Twstat of `node` by `user` changes.
///
/// # Errors
/// `permission denied`.
pub(crate) fn wstat<'a>(
    node: Node,
    stat: &Stat<'a>,
    user: &str,
    facts: &dyn Facts,
) -> Result<Change<'a>, Refusal> {
    let untouched = Stat::DONT_TOUCH;
    // What may be asked for is masked; what is left must be "don't touch".
    let mut rest = Stat { mode: untouched.mode, uid: untouched.uid, ..*stat };
    if stat.length == 0 {
        rest.length = untouched.length;
        rest.atime = untouched.atime;
        rest.mtime = untouched.mtime;
    }
    if rest != untouched {
        return Err(Refusal::PERMISSION_DENIED);
    }
    let mode = (stat.mode != untouched.mode).then_some(stat.mode);
    let owner = (stat.uid != untouched.uid).then_some(stat.uid);
    change(node, Change { mode, owner }, user, facts)
}

/// What a Tsetattr of `node` by `user` changes. Owners are numbers there and can't be set.
///
/// # Errors
/// `permission denied`.
pub(crate) fn setattr(
    node: Node,
    request: &Tsetattr,
    user: &str,
    facts: &dyn Facts,
) -> Result<Change<'static>, Refusal> {
    let truncates = request.valid & SIZE != 0 && request.size == 0;
    let ignored = if truncates { SIZE | TIMES } else { 0 };
    if request.valid & !(MODE | ignored) != 0 {
        return Err(Refusal::PERMISSION_DENIED);
    }
    let mode = (request.valid & MODE != 0).then_some(request.mode);
    change(node, Change { mode, owner: None }, user, facts)
}

fn change<'a>(
    node: Node,
    change: Change<'a>,
    user: &str,
    facts: &dyn Facts,
) -> Result<Change<'a>, Refusal> {
    if change == Change::default() {
        return Ok(change);
    }
    let Node::File(key, File::Ctl | File::Data) = node else {
        return Err(Refusal::PERMISSION_DENIED);
    };
    let standing = facts.standing(key);
    if !standing.busy || (user != &*standing.owner && user != facts.host_owner()) {
        return Err(Refusal::PERMISSION_DENIED);
    }
    Ok(Change { mode: change.mode.map(|mode| mode & 0o666), ..change })
}

/// `P9_SETATTR_MODE`.
const MODE: u32 = 1;
/// `P9_SETATTR_SIZE`.
const SIZE: u32 = 8;
/// `P9_SETATTR_ATIME`, `MTIME`, `CTIME`, `ATIME_SET` and `MTIME_SET`.
const TIMES: u32 = 0x1f0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{TCP, World, tcp};
    use crate::tree::qid::{Common, StackId};
    use netrelay_proto::ids::{Fid, Qid};

    const NDB: Node = Node::Common(StackId(0), Common::Ndb);
    const NONE: Stat<'static> = Stat::DONT_TOUCH;
    const DENIED: Result<Change<'static>, Refusal> = Err(Refusal::PERMISSION_DENIED);

    fn ctl() -> Node {
        Node::File(tcp(0), File::Ctl)
    }

    #[test]
    fn owner_and_host_owner_set_mode_and_uid_of_ctl_and_data() {
        let world = World::with(2, 0o660);
        for node in [ctl(), Node::File(tcp(0), File::Data)] {
            for user in ["glenda", "gate"] {
                let stat = Stat { mode: 0o777, uid: "rob", ..NONE };
                let expected = Change { mode: Some(0o666), owner: Some("rob") };
                assert_eq!(wstat(node, &stat, user, &world), Ok(expected));
                let stat = Stat { mode: 0o600, length: 0, mtime: 5, ..NONE };
                let expected = Change { mode: Some(0o600), owner: None };
                assert_eq!(wstat(node, &stat, user, &world), Ok(expected));
            }
            assert_eq!(wstat(node, &Stat { mode: 0o600, ..NONE }, "rob", &world), DENIED);
        }
    }

    #[test]
    fn other_files_and_idle_numbers_change_for_nobody() {
        let world = World::with(2, 0o660);
        let stat = Stat { mode: 0o600, ..NONE };
        let idle = Node::File(tcp(1), File::Ctl);
        let others = [Node::ROOT, NDB, Node::Clone(TCP), Node::File(tcp(0), File::Err), idle];
        for node in others {
            assert_eq!(wstat(node, &stat, "gate", &world), DENIED, "{node:?}");
        }
    }

    #[test]
    fn nothing_and_a_length_of_zero_are_accepted_everywhere() {
        let world = World::with(1, 0o660);
        let truncate = Stat { length: 0, mtime: 7, atime: 7, ..NONE };
        for node in [Node::ROOT, NDB, Node::Clone(TCP), ctl(), Node::File(tcp(0), File::Err)] {
            for stat in [NONE, truncate] {
                assert_eq!(wstat(node, &stat, "none", &world), Ok(Change::default()));
            }
        }
    }

    #[test]
    fn any_other_field_is_refused() {
        let world = World::with(1, 0o660);
        let fields = [
            Stat { name: "x", ..NONE },
            Stat { gid: "x", ..NONE },
            Stat { muid: "x", ..NONE },
            Stat { kind: 0, ..NONE },
            Stat { dev: 0, ..NONE },
            Stat { qid: Qid::default(), ..NONE },
            Stat { length: 1, ..NONE },
            Stat { mtime: 1, ..NONE },
            Stat { atime: 1, ..NONE },
            Stat { extension: "x", ..NONE },
            Stat { n_uid: 0, ..NONE },
            Stat { length: 0, name: "x", ..NONE },
        ];
        for stat in fields {
            assert_eq!(wstat(ctl(), &stat, "gate", &world), DENIED, "{stat:?}");
        }
    }

    #[test]
    fn setattr_changes_what_wstat_changes() {
        let world = World::with(1, 0o660);
        let request = |valid, mode, size| Tsetattr {
            fid: Fid(0),
            valid,
            mode,
            uid: 0,
            gid: 0,
            size,
            atime_sec: 0,
            atime_nsec: 0,
            mtime_sec: 0,
            mtime_nsec: 0,
        };
        let chmod = Ok(Change { mode: Some(0o600), owner: None });
        let nothing = Ok(Change::default());
        let table = [
            (request(0, 0, 1), nothing.clone()),
            (request(MODE, 0o100_711, 1), chmod),
            (request(SIZE | 0x60, 0, 0), nothing),
            (request(SIZE, 0, 1), DENIED),
            (request(0x20, 0, 0), DENIED),
            (request(2, 0, 0), DENIED),
            (request(4, 0, 0), DENIED),
            (request(SIZE | 0x200, 0, 0), DENIED),
        ];
        for (request, expected) in table {
            assert_eq!(setattr(ctl(), &request, "glenda", &world), expected, "{request:?}");
        }
        assert_eq!(setattr(ctl(), &request(MODE, 0o600, 0), "rob", &world), DENIED);
    }
}
