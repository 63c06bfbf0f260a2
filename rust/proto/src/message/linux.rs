//! The messages of 9P2000.L: what a Linux kernel asks for in place of open, create, stat and wstat.
//!
//! The field names are those of diod's protocol notes. The tree serves few of them; all are decoded,
//! so that the others can be refused and not end the session.

use super::messages;
use crate::ids::{Fid, Qid};

messages! {
    /// Refused, by a Linux errno.
    7 Rlerror { ecode: u32, }
    /// Ask about the file system.
    8 Tstatfs { fid: Fid, }
    /// What statfs(2) tells.
    9 Rstatfs {
        kind: u32 = "type", bsize: u32, blocks: u64, bfree: u64, bavail: u64, files: u64, ffree: u64,
        fsid: u64, namelen: u32,
    }
    /// Open; `flags` are open(2)'s.
    12 Tlopen { fid: Fid, flags: u32, }
    /// Open.
    13 Rlopen { qid: Qid, iounit: u32, }
    /// Make a regular file and open it.
    14 Tlcreate<'a> { fid: Fid, name: &'a str, flags: u32, mode: u32, gid: u32, }
    /// Made and open.
    15 Rlcreate { qid: Qid, iounit: u32, }
    /// Make a symbolic link.
    16 Tsymlink<'a> { fid: Fid, name: &'a str, symtgt: &'a str, gid: u32, }
    /// Made.
    17 Rsymlink { qid: Qid, }
    /// Make a device node.
    18 Tmknod<'a> { dfid: Fid, name: &'a str, mode: u32, major: u32, minor: u32, gid: u32, }
    /// Made.
    19 Rmknod { qid: Qid, }
    /// Move the file behind `fid` into `dfid`.
    20 Trename<'a> { fid: Fid, dfid: Fid, name: &'a str, }
    /// Moved.
    21 Rrename {}
    /// Ask where a link leads.
    22 Treadlink { fid: Fid, }
    /// Where.
    23 Rreadlink<'a> { target: &'a str, }
    /// Ask for attributes.
    24 Tgetattr { fid: Fid, request_mask: u64, }
    /// The attributes that `valid` names.
    25 Rgetattr {
        valid: u64, qid: Qid, mode: u32, uid: u32, gid: u32, nlink: u64, rdev: u64, size: u64,
        blksize: u64, blocks: u64, atime_sec: u64, atime_nsec: u64, mtime_sec: u64, mtime_nsec: u64,
        ctime_sec: u64, ctime_nsec: u64, btime_sec: u64, btime_nsec: u64, generation: u64 = "gen",
        data_version: u64,
    }
    /// Set the attributes that `valid` names.
    26 Tsetattr {
        fid: Fid, valid: u32, mode: u32, uid: u32, gid: u32, size: u64, atime_sec: u64,
        atime_nsec: u64, mtime_sec: u64, mtime_nsec: u64,
    }
    /// Set.
    27 Rsetattr {}
    /// Make `newfid` stand for an extended attribute.
    30 Txattrwalk<'a> { fid: Fid, newfid: Fid, name: &'a str, }
    /// Its size.
    31 Rxattrwalk { size: u64, }
    /// Make `fid` stand for an extended attribute to be written.
    32 Txattrcreate<'a> { fid: Fid, name: &'a str, attr_size: u64, flags: u32, }
    /// It does.
    33 Rxattrcreate {}
    /// Ask for directory entries.
    40 Treaddir { fid: Fid, offset: u64, count: u32, }
    /// Whole entries (see `dir`).
    41 Rreaddir<'a> { data: &'a [u8], }
    /// Flush to disk; `datasync` is 0 where an old client leaves it out.
    50 Tfsync { fid: Fid, datasync: u32 as datasync, }
    /// Done.
    51 Rfsync {}
    /// Take or drop a lock.
    52 Tlock<'a> {
        fid: Fid, kind: u8 = "type", flags: u32, start: u64, length: u64, proc_id: u32, client_id: &'a str,
    }
    /// How that went.
    53 Rlock { status: u8, }
    /// Ask who holds a lock.
    54 Tgetlock<'a> {
        fid: Fid, kind: u8 = "type", start: u64, length: u64, proc_id: u32, client_id: &'a str,
    }
    /// The lock that is in the way.
    55 Rgetlock<'a> { kind: u8 = "type", start: u64, length: u64, proc_id: u32, client_id: &'a str, }
    /// Make a hard link.
    70 Tlink<'a> { dfid: Fid, fid: Fid, name: &'a str, }
    /// Made.
    71 Rlink {}
    /// Make a directory.
    72 Tmkdir<'a> { dfid: Fid, name: &'a str, mode: u32, gid: u32, }
    /// Made.
    73 Rmkdir { qid: Qid, }
    /// Move by directory and name.
    74 Trenameat<'a> { olddirfid: Fid, oldname: &'a str, newdirfid: Fid, newname: &'a str, }
    /// Moved.
    75 Rrenameat {}
    /// Remove by directory and name.
    76 Tunlinkat<'a> { dirfd: Fid, name: &'a str, flags: u32, }
    /// Gone.
    77 Runlinkat {}
}
