//! Walks and attaches: from one qid by names to others (walk(5), attach(5)).
//!
//! Pure arithmetic on qids; the session keeps the fids.

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Qid;
use netrelay_proto::message::{Names, Qids};

use super::Facts;
use super::qid::Node;

/// Walks `names` from `from`, in an attach whose root is `root`.
///
/// Fewer qids than names is a walk that ended early, and then nothing moves (walk(5)).
///
/// # Errors
/// The first name can't be walked: `file does not exist` or, from a file, `not a directory`.
pub(crate) fn walk(
    root: Qid,
    from: Qid,
    names: &Names<'_>,
    facts: &dyn Facts,
) -> Result<Qids, Refusal> {
    let root = Node::of(root.path).ok_or(Refusal::FILE_DOES_NOT_EXIST)?;
    let mut node = Node::of(from.path).ok_or(Refusal::FILE_DOES_NOT_EXIST)?;
    let mut qids = Qids::default();
    for name in names.iter() {
        match step(root, node, name, facts) {
            Ok(next) => node = next,
            Err(refusal) if qids.is_empty() => return Err(refusal),
            Err(_) => break,
        }
        // As many qids as names fit, and there are no more names.
        let _ = qids.push(node.qid(facts));
    }
    Ok(qids)
}

/// The root of an attach to `aname` of a tree whose root is `root`.
///
/// `aname` is a path of that tree; leading, trailing and doubled slashes and `.` mean nothing and
/// `..` does not leave it. It may name a file.
///
/// # Errors
/// As for a walk.
pub(crate) fn attach(aname: &str, root: Qid, facts: &dyn Facts) -> Result<Qid, Refusal> {
    let root = Node::of(root.path).ok_or(Refusal::FILE_DOES_NOT_EXIST)?;
    let mut elements = aname.split('/');
    let node = elements.try_fold(root, |node, element| step(root, node, element, facts))?;
    Ok(node.qid(facts))
}

fn step(root: Node, node: Node, name: &str, facts: &dyn Facts) -> Result<Node, Refusal> {
    if !node.directory() {
        return Err(Refusal::NOT_A_DIRECTORY);
    }
    match name {
        "" | "." | "/" => Ok(node),
        ".." if node == root => Ok(root),
        ".." => Ok(node.parent()),
        _ => node.child(name, facts).ok_or(Refusal::FILE_DOES_NOT_EXIST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{ALT, TCP, World, tcp};
    use crate::tree::qid::{Common, File, StackId};

    const NET: Node = Node::Net(StackId(0));
    const CS: Node = Node::Common(StackId(0), Common::Cs);

    fn walked(root: Node, from: Node, path: &str) -> Result<Vec<Node>, Refusal> {
        let world = World { conversations: 2, ..World::default() };
        let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
        let names = Names::new(&names).unwrap();
        let qids = walk(root.qid(&world), from.qid(&world), &names, &world)?;
        Ok(qids.iter().map(|qid| Node::of(qid.path).unwrap()).collect())
    }

    #[test]
    fn walks_end_where_the_names_lead() {
        let conversation = Node::Conversation(tcp(1));
        let ctl = Node::File(tcp(1), File::Ctl);
        let table: [(&str, &[Node]); 7] = [
            ("", &[]),
            ("net/tcp", &[NET, Node::Protocol(TCP)]),
            ("net/tcp/1/ctl", &[NET, Node::Protocol(TCP), conversation, ctl]),
            ("net/cs", &[NET, CS]),
            ("net.alt/..", &[Node::Net(ALT), Node::Root]),
            ("net/../net", &[NET, Node::Root, NET]),
            ("./net/.", &[Node::Root, NET, NET]),
        ];
        for (path, nodes) in table {
            assert_eq!(walked(Node::Root, Node::Root, path).unwrap(), nodes, "{path}");
        }
    }

    #[test]
    fn a_walk_of_sixteen_names_gives_sixteen_qids() {
        let path = "net/../".repeat(8);
        assert_eq!(walked(Node::Root, Node::Root, &path).unwrap().len(), 16);
    }

    #[test]
    fn a_later_name_that_fails_cuts_the_walk() {
        for path in ["net/nothing", "net/nothing/tcp"] {
            assert_eq!(walked(Node::Root, Node::Root, path).unwrap(), [NET], "{path}");
        }
        let cut = [NET, CS];
        assert_eq!(walked(Node::Root, Node::Root, "net/cs/..").unwrap(), cut);
    }

    #[test]
    fn a_first_name_that_fails_is_refused() {
        let table = [
            (Node::Root, "tcp", Refusal::FILE_DOES_NOT_EXIST),
            (Node::Protocol(TCP), "2", Refusal::FILE_DOES_NOT_EXIST),
            (CS, "x", Refusal::NOT_A_DIRECTORY),
            (CS, "..", Refusal::NOT_A_DIRECTORY),
        ];
        for (from, path, refusal) in table {
            assert_eq!(walked(Node::Root, from, path), Err(refusal), "{from:?} {path}");
        }
    }

    #[test]
    fn dotdot_stays_at_the_root_of_the_attach() {
        let tcps = Node::Protocol(TCP);
        let clone = Node::Clone(TCP);
        assert_eq!(walked(tcps, tcps, "../..").unwrap(), [tcps, tcps]);
        assert_eq!(walked(tcps, tcps, "../clone").unwrap(), [tcps, clone]);
        let deep = Node::Conversation(tcp(0));
        assert_eq!(walked(tcps, deep, "../../..").unwrap(), [tcps, tcps, tcps]);
    }

    #[test]
    fn a_qid_of_no_file_is_refused() {
        let world = World::default();
        let nowhere = Qid { kind: 0, vers: 0, path: 22 };
        let names = Names::new(&["net"]).unwrap();
        let result = walk(Node::Root.qid(&world), nowhere, &names, &world);
        assert_eq!(result, Err(Refusal::FILE_DOES_NOT_EXIST));
    }

    #[test]
    fn aname_names_the_root_of_the_attach() {
        let world = World { conversations: 1, ..World::default() };
        let tcps = Node::Protocol(TCP);
        let table = [
            (Node::Root, "", Ok(Node::Root)),
            (Node::Root, "/", Ok(Node::Root)),
            (Node::Root, "/net", Ok(NET)),
            (Node::Root, "net", Ok(NET)),
            (Node::Root, "//net/./tcp/", Ok(tcps)),
            (Node::Root, "/net/tcp/0/data", Ok(Node::File(tcp(0), File::Data))),
            (Node::Root, "/net/tcp/1", Err(Refusal::FILE_DOES_NOT_EXIST)),
            (Node::Root, "/n", Err(Refusal::FILE_DOES_NOT_EXIST)),
            (Node::Root, "/net/cs/x", Err(Refusal::NOT_A_DIRECTORY)),
            (tcps, "/", Ok(tcps)),
            (tcps, "..", Ok(tcps)),
            (tcps, "/net", Err(Refusal::FILE_DOES_NOT_EXIST)),
            (tcps, "clone", Ok(Node::Clone(TCP))),
        ];
        for (root, aname, expected) in table {
            let expected = expected.map(|node: Node| node.qid(&world));
            assert_eq!(attach(aname, root.qid(&world), &world), expected, "{aname}");
        }
    }
}
