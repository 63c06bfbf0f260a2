//! Who may open what, and how (open(5); docs/tree.md, section 4).
//!
//! The decision only: counting opens and giving an idle number to its opener is the registry's,
//! under its lock and with [`permits`]. A refusal says `permission denied` and nothing of why.

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::mode::{OEXEC, ORCLOSE, ORDWR, OREAD, OTRUNC, OWRITE};

use super::qid::{Common, File, Node};
use super::{Facts, Standing};

/// Checks that `user` may open `node` with `mode`.
///
/// # Errors
/// `permission denied`.
pub(crate) fn open(node: Node, mode: u8, user: &str, facts: &dyn Facts) -> Result<(), Refusal> {
    let wanted = if mode & ORCLOSE == 0 { wanted(mode) } else { None };
    let host_owner = user == facts.host_owner();
    let Some(wanted) = wanted else {
        let may = node.directory() && mode & (ORCLOSE | OTRUNC | 3) == OEXEC;
        return if may { Ok(()) } else { Err(Refusal::PERMISSION_DENIED) };
    };
    let allowed = match node {
        Node::Common(_, Common::Log | Common::Cs | Common::Dns) => true,
        Node::Common(_, Common::Ndb | Common::Arp | Common::Iproute) => {
            wanted == READ || host_owner
        }
        Node::File(key, file) if key.branch.protocol.of_host() => match file {
            File::Ctl => wanted == READ || host_owner,
            File::Local | File::Remote | File::Status => wanted == READ,
            // An interface is the host's: nobody calls on it here, nor listens in.
            File::Data | File::Err | File::Listen | File::Snoop | File::Type => false,
        },
        Node::File(key, File::Ctl | File::Data | File::Err | File::Listen) => {
            permits(&facts.standing(key), mode, user, facts.host_owner())
        }
        Node::Clone(branch) => !branch.protocol.of_host(),
        Node::Dir(_)
        | Node::Net(_)
        | Node::Protocol(_)
        | Node::Conversation(_)
        | Node::Stats(_)
        | Node::Told(..)
        | Node::Common(_, Common::Bootp | Common::Ipselftab)
        | Node::File(..) => wanted == READ,
    };
    if allowed { Ok(()) } else { Err(Refusal::PERMISSION_DENIED) }
}

/// Whether `user` may open ctl, data, err or listen of a conversation of that standing.
///
/// An idle one may be opened by anyone: it is about to become theirs.
pub(crate) fn permits(standing: &Standing, mode: u8, user: &str, host_owner: &str) -> bool {
    let Some(wanted) = wanted(mode) else {
        return false;
    };
    if !standing.busy || user == host_owner {
        return true;
    }
    let granted = if user == &*standing.owner { standing.mode >> 6 } else { standing.mode };
    wanted & !granted == 0
}

/// The open mode that the flags of a Tlopen stand for; flags without a counterpart mean nothing.
pub(crate) fn mode_of_flags(flags: u32) -> u8 {
    let access = match flags & 3 {
        0 => OREAD,
        1 => OWRITE,
        // 3 asks for nothing that can be given less than everything for.
        _ => ORDWR,
    };
    access | if flags & L_TRUNC == 0 { 0 } else { OTRUNC }
}

/// The permission bits that `mode` needs; none when it asks to execute.
fn wanted(mode: u8) -> Option<u32> {
    let access = match mode & 3 {
        OREAD => READ,
        OWRITE => WRITE,
        ORDWR => READ | WRITE,
        _ => return None,
    };
    Some(access | if mode & OTRUNC == 0 { 0 } else { WRITE })
}

const READ: u32 = 4;
const WRITE: u32 = 2;
/// `O_TRUNC` as 9P2000.L has it.
const L_TRUNC: u32 = 0o1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{TCP, World, tcp};
    use crate::tree::protocol::Protocol;
    use crate::tree::qid::{Branch, StackId};

    const NET: Node = Node::Net(StackId(0));

    fn common(file: Common) -> Node {
        Node::Common(StackId(0), file)
    }

    fn opens(node: Node, mode: u8, user: &str, world: &World) -> bool {
        match open(node, mode, user, world) {
            Ok(()) => true,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::PERMISSION_DENIED);
                false
            }
        }
    }

    #[test]
    fn files_that_only_tell_are_opened_for_reading_only() {
        let world = World::with(1, 0o666);
        let files = [File::Local, File::Remote, File::Status].map(|file| Node::File(tcp(0), file));
        for node in files.into_iter().chain([Node::Stats(TCP)]) {
            for user in ["glenda", "gate", "none"] {
                assert!(opens(node, OREAD, user, &world), "{node:?}");
                for mode in [OWRITE, ORDWR, OEXEC, OREAD | OTRUNC, OREAD | ORCLOSE] {
                    assert!(!opens(node, mode, user, &world), "{node:?} {mode}");
                }
            }
        }
    }

    #[test]
    fn directories_are_opened_for_reading_or_executing() {
        let world = World::with(1, 0o666);
        for node in [Node::ROOT, NET, Node::Protocol(TCP), Node::Conversation(tcp(0))] {
            for mode in [OREAD, OEXEC] {
                assert!(opens(node, mode, "none", &world), "{node:?} {mode}");
                for flag in [OTRUNC, ORCLOSE] {
                    assert!(!opens(node, mode | flag, "gate", &world), "{node:?} {mode}");
                }
            }
            for mode in [OWRITE, ORDWR] {
                assert!(!opens(node, mode, "gate", &world), "{node:?} {mode}");
            }
        }
    }

    #[test]
    fn common_files_are_open_to_all_and_ndb_is_the_host_owners_to_write() {
        let world = World::default();
        for node in [Node::Clone(TCP), common(Common::Log), common(Common::Cs), common(Common::Dns)]
        {
            for mode in [OREAD, OWRITE, ORDWR, ORDWR | OTRUNC] {
                assert!(opens(node, mode, "none", &world), "{node:?} {mode}");
            }
            assert!(!opens(node, OEXEC, "gate", &world));
            assert!(!opens(node, ORDWR | ORCLOSE, "gate", &world));
        }
        let ndb = common(Common::Ndb);
        for mode in [OWRITE, ORDWR, OREAD | OTRUNC] {
            assert!(opens(ndb, mode, "gate", &world), "{mode}");
            assert!(!opens(ndb, mode, "glenda", &world), "{mode}");
        }
        assert!(opens(ndb, OREAD, "glenda", &world));
    }

    #[test]
    fn the_hosts_own_files_are_read_by_all_and_written_by_the_host_owner_or_nobody() {
        let world = World { conversations: 1, ..World::default() };
        let interface = Branch { protocol: Protocol::Ipifc, ..TCP };
        let file = |file| Node::File(interface.key(0), file);
        for node in [common(Common::Arp), common(Common::Iproute), file(File::Ctl)] {
            assert!(opens(node, OREAD, "none", &world), "{node:?}");
            assert!(!opens(node, OWRITE, "none", &world), "{node:?}");
            assert!(opens(node, ORDWR, "gate", &world), "{node:?}");
        }
        let told = [common(Common::Bootp), common(Common::Ipselftab), Node::Stats(interface)];
        for node in told.into_iter().chain([file(File::Status), file(File::Local)]) {
            assert!(opens(node, OREAD, "none", &world), "{node:?}");
            assert!(!opens(node, ORDWR, "gate", &world), "{node:?}");
        }
        let never = [File::Data, File::Err, File::Listen, File::Snoop].map(file);
        for node in never.into_iter().chain([Node::Clone(interface)]) {
            assert!(!opens(node, OREAD, "gate", &world), "{node:?}");
        }
    }

    #[test]
    fn a_conversation_asks_its_mode_of_owner_and_others_alike() {
        // mode, owner reads, owner writes, others read, others write
        let table = [
            (0o660, true, true, false, false),
            (0o666, true, true, true, true),
            (0o644, true, true, true, false),
            (0o462, true, false, false, true),
            (0o060, false, false, false, false),
        ];
        for (mode, owner_reads, owner_writes, other_reads, other_writes) in table {
            let world = World::with(1, mode);
            for file in [File::Ctl, File::Data, File::Err, File::Listen] {
                let node = Node::File(tcp(0), file);
                for (user, reads, writes) in
                    [("glenda", owner_reads, owner_writes), ("none", other_reads, other_writes)]
                {
                    assert_eq!(opens(node, OREAD, user, &world), reads, "{mode:o} {user}");
                    assert_eq!(opens(node, OWRITE, user, &world), writes, "{mode:o} {user}");
                    assert_eq!(opens(node, ORDWR, user, &world), reads && writes);
                    assert_eq!(opens(node, OREAD | OTRUNC, user, &world), reads && writes);
                }
                assert!(opens(node, ORDWR, "gate", &world));
                assert!(!opens(node, OEXEC, "gate", &world));
                assert!(!opens(node, ORDWR | ORCLOSE, "gate", &world));
            }
        }
    }

    #[test]
    fn an_idle_number_is_anyones_to_open() {
        let world = World { conversations: 1, ..World::default() };
        for file in [File::Ctl, File::Data, File::Err, File::Listen] {
            assert!(opens(Node::File(tcp(0), file), ORDWR, "none", &world));
        }
    }

    #[test]
    fn flags_of_the_linux_dialect_become_modes() {
        let table = [
            (0, OREAD),
            (1, OWRITE),
            (2, ORDWR),
            (3, ORDWR),
            (0o1002, ORDWR | OTRUNC),
            (0o1_112_000, OREAD),
            (0o100_001, OWRITE),
        ];
        for (flags, mode) in table {
            assert_eq!(mode_of_flags(flags), mode, "{flags:o}");
        }
    }
}
