//! A bare 9P client: frames made by hand, as many outstanding as the benchmark wants.
//!
//! It shares no code with netrelay, so that a mistake there does not hide here, and it does no more than
//! a client must: no fid table, no flush, no checks beyond the type of a reply.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// As large a frame as both sides take.
const MSIZE: u32 = 1 << 20;
/// What a Twrite costs beyond its payload.
pub(crate) const TWRITE_HEAD: usize = 23;
/// What an Rread costs beyond its payload.
pub(crate) const RREAD_HEAD: usize = 11;
const NOFID: u32 = u32::MAX;
const ORDWR: u8 = 2;

pub(crate) const RERROR: u8 = 107;
pub(crate) const RREAD: u8 = 117;
pub(crate) const RWRITE: u8 = 119;

/// The fid of the root.
pub(crate) const ROOT: u32 = 0;

pub(crate) struct Session {
    pub(crate) stream: TcpStream,
    /// Agreed; a payload may be this less 24.
    pub(crate) msize: u32,
    linux: bool,
}

impl Session {
    /// Version and attach, blocking; `linux` asks for 9P2000.L.
    pub(crate) fn open(address: &str, linux: bool, aname: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut session = Self { stream, msize: 8192, linux };
        let version = if linux { "9P2000.L" } else { "9P2000.netrelay" };
        let mut body = MSIZE.to_le_bytes().to_vec();
        string(&mut body, version);
        let reply = session.rpc(&frame(100, u16::MAX, &body))?;
        session.msize =
            reply.get(7..11).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let mut body = [ROOT.to_le_bytes(), NOFID.to_le_bytes()].concat();
        string(&mut body, "root");
        string(&mut body, aname);
        if linux {
            body.extend_from_slice(&0u32.to_le_bytes());
        }
        session.rpc(&frame(104, 0, &body))?;
        Ok(session)
    }

    /// A session that has nothing outstanding, blocking again.
    pub(crate) fn resumed(stream: TcpStream, payload: u32) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        Ok(Self { stream, msize: payload + 24, linux: false })
    }

    /// One request, its reply; a refusal is an error with its text.
    pub(crate) fn rpc(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(request)?;
        self.reply()
    }

    /// The next reply.
    pub(crate) fn reply(&mut self) -> io::Result<Vec<u8>> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut whole = size.to_vec();
        whole.resize(u32::from_le_bytes(size).clamp(7, MSIZE) as usize, 0);
        self.stream.read_exact(&mut whole[4..])?;
        match whole[4] {
            RERROR | 7 => {
                let text = String::from_utf8_lossy(whole.get(9..).unwrap_or_default()).into_owned();
                Err(io::Error::other(text))
            }
            _ => Ok(whole),
        }
    }

    /// The largest payload of one message.
    pub(crate) fn payload(&self) -> u32 {
        self.msize - 24
    }

    /// A conversation with `to` whose `data` is open as `fid`; its ctl is `fid + 1`.
    pub(crate) fn dial(&mut self, network: &str, to: &str, fid: u32) -> io::Result<()> {
        let ctl = fid + 1;
        self.rpc(&walk(1, ROOT, ctl, &["net", network, "clone"]))?;
        self.rpc(&self.open_file(1, ctl))?;
        let number = self.rpc(&read(1, ctl, 16))?;
        let number = String::from_utf8_lossy(&number[RREAD_HEAD..]).into_owned();
        self.rpc(&write(1, ctl, format!("connect {}", to.replace(':', "!")).as_bytes()))?;
        self.rpc(&walk(1, ROOT, fid, &["net", network, &number, "data"]))?;
        self.rpc(&self.open_file(1, fid))?;
        Ok(())
    }

    /// Topen or Tlopen for reading and writing (for reading in .L, whose server has plain files).
    pub(crate) fn open_file(&self, tag: u16, fid: u32) -> Vec<u8> {
        let mut body = fid.to_le_bytes().to_vec();
        if self.linux {
            body.extend_from_slice(&0u32.to_le_bytes());
            return frame(12, tag, &body);
        }
        body.push(ORDWR);
        frame(112, tag, &body)
    }

    /// Tstat or Tgetattr.
    pub(crate) fn stat(&self, tag: u16, fid: u32) -> Vec<u8> {
        let mut body = fid.to_le_bytes().to_vec();
        if self.linux {
            body.extend_from_slice(&0x7ffu64.to_le_bytes());
            return frame(24, tag, &body);
        }
        frame(124, tag, &body)
    }
}

/// Whether an error only says that the socket is not ready.
pub(crate) fn not_ready(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

/// Size, type and tag of the first frame, if all of it is here.
pub(crate) fn head(bytes: &[u8]) -> Option<(usize, u8, u16)> {
    let (size, rest) = bytes.split_first_chunk()?;
    let size = u32::from_le_bytes(*size) as usize;
    let (&kind, rest) = rest.split_first()?;
    let (tag, _) = rest.split_first_chunk()?;
    (size <= bytes.len()).then_some((size, kind, u16::from_le_bytes(*tag)))
}

pub(crate) fn frame(kind: u8, tag: u16, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(7 + body.len()).unwrap_or(u32::MAX);
    let mut whole = size.to_le_bytes().to_vec();
    whole.push(kind);
    whole.extend_from_slice(&tag.to_le_bytes());
    whole.extend_from_slice(body);
    whole
}

pub(crate) fn walk(tag: u16, fid: u32, newfid: u32, names: &[&str]) -> Vec<u8> {
    let mut body = [fid.to_le_bytes(), newfid.to_le_bytes()].concat();
    body.extend_from_slice(&u16::try_from(names.len()).unwrap_or(0).to_le_bytes());
    for name in names {
        string(&mut body, name);
    }
    frame(110, tag, &body)
}

pub(crate) fn read(tag: u16, fid: u32, count: u32) -> Vec<u8> {
    let mut body = fid.to_le_bytes().to_vec();
    body.extend_from_slice(&0u64.to_le_bytes());
    body.extend_from_slice(&count.to_le_bytes());
    frame(116, tag, &body)
}

pub(crate) fn write(tag: u16, fid: u32, data: &[u8]) -> Vec<u8> {
    let mut whole = write_head(tag, fid, u32::try_from(data.len()).unwrap_or(0)).to_vec();
    whole.extend_from_slice(data);
    whole
}

/// The 23 bytes before a Twrite's payload.
pub(crate) fn write_head(tag: u16, fid: u32, count: u32) -> [u8; TWRITE_HEAD] {
    let mut head = [0; TWRITE_HEAD];
    head[..4].copy_from_slice(&(23 + count).to_le_bytes());
    head[4] = 118;
    head[5..7].copy_from_slice(&tag.to_le_bytes());
    head[7..11].copy_from_slice(&fid.to_le_bytes());
    head[19..].copy_from_slice(&count.to_le_bytes());
    head
}

pub(crate) fn clunk(tag: u16, fid: u32) -> Vec<u8> {
    frame(120, tag, &fid.to_le_bytes())
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
