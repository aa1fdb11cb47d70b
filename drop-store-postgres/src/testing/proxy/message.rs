//! The framing of PostgreSQL's protocol, version 3, as far as a proxy needs it.
//!
//! After the startup every message is a tag, its length without the tag, and a body. A client
//! sends any number of messages and ends them with a Sync or a simple Query; the server answers
//! with any number of messages that end with a ReadyForQuery.

/// What ends a client's step.
pub(super) const QUERY: u8 = b'Q';
pub(super) const SYNC: u8 = b'S';
pub(super) const TERMINATE: u8 = b'X';
/// What else a step may have.
pub(super) const PARSE: u8 = b'P';
pub(super) const BIND: u8 = b'B';
pub(super) const EXECUTE: u8 = b'E';
/// What a server sends.
pub(super) const READY: u8 = b'Z';
pub(super) const KEY_DATA: u8 = b'K';
pub(super) const ERROR: u8 = b'E';

/// What a client may say before anything else, in the place of a protocol version.
pub(super) const CANCEL: u32 = 80_877_102;
pub(super) const TLS: u32 = 80_877_103;
pub(super) const GSS: u32 = 80_877_104;

/// A message in a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
    /// With its tag and its length.
    pub(super) length: usize,
}

/// The message that `buffer` begins with, once it is there as a whole.
pub(super) fn first(buffer: &[u8]) -> Option<Message<'_>> {
    let (tag, rest) = buffer.split_first()?;
    let length = number(rest)?;
    let body = rest.get(4..length)?;
    Some(Message { tag: *tag, body, length: length + 1 })
}

/// The messages of a whole number of them.
pub(super) fn all(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let message = first(bytes)?;
        bytes = bytes.get(message.length..)?;
        Some(message)
    })
}

/// The length of the step that `buffer` begins with, once it is there as a whole.
pub(super) fn step(buffer: &[u8]) -> Option<usize> {
    let mut length = 0;
    for message in all(buffer) {
        length += message.length;
        if matches!(message.tag, QUERY | SYNC | TERMINATE) {
            return Some(length);
        }
    }
    None
}

/// The length of a startup message, and what it asks for, once it is there as a whole.
pub(super) fn startup(buffer: &[u8]) -> Option<(usize, u32)> {
    let length = number(buffer)?;
    buffer.get(..length)?;
    let asked = number(buffer.get(4..)?)?;
    Some((length, u32::try_from(asked).ok()?))
}

/// The backend's process id in the body of its key data.
pub(super) fn process(body: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(*body.first_chunk()?))
}

/// The SQLSTATE in the body of an error.
pub(super) fn sqlstate(body: &[u8]) -> String {
    let fields = body.split(|byte| *byte == 0);
    let code = fields.filter_map(|field| field.strip_prefix(b"C")).next();
    String::from_utf8_lossy(code.unwrap_or_default()).into_owned()
}

/// The text up to the next NUL, and what follows it.
pub(super) fn text(body: &[u8]) -> Option<(String, &[u8])> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let (text, rest) = body.split_at(end);
    Some((String::from_utf8_lossy(text).into_owned(), rest.get(1..)?))
}

/// An error as a server tells it.
pub(super) fn error(severity: &str, sqlstate: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in [(b'S', severity), (b'V', severity), (b'C', sqlstate), (b'M', "injected")]
    {
        body.push(field);
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    framed(ERROR, &body)
}

/// The end of an answer, with the state of the transaction.
pub(super) fn ready(status: u8) -> Vec<u8> {
    framed(READY, &[status])
}

/// A simple query.
pub(super) fn query(sql: &str) -> Vec<u8> {
    let mut body = sql.as_bytes().to_vec();
    body.push(0);
    framed(QUERY, &body)
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message = vec![tag];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

fn number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::{
        PARSE, QUERY, SYNC, all, error, first, framed, process, query, ready, sqlstate, step, text,
    };

    #[test]
    fn a_step_ends_at_a_query_or_a_sync_and_is_whole() {
        let mut bytes = framed(PARSE, b"s1\0SELECT 1\0\0\0");
        let parse = bytes.len();
        bytes.extend(framed(SYNC, &[]));
        let whole = bytes.len();
        bytes.extend(query("COMMIT"));
        assert_eq!(step(&bytes), Some(whole));
        for length in 0..whole {
            assert_eq!(step(&bytes[..length]), None, "{length}");
        }
        assert_eq!(first(&bytes).unwrap().length, parse);
        let tags: Vec<u8> = all(&bytes).map(|message| message.tag).collect();
        assert_eq!(tags, [PARSE, SYNC, QUERY]);
        assert_eq!(step(&bytes[whole..]), Some(bytes.len() - whole));
        let (name, rest) = text(first(&bytes).unwrap().body).unwrap();
        assert_eq!((name.as_str(), text(rest).unwrap().0.as_str()), ("s1", "SELECT 1"));
    }

    #[test]
    fn what_a_server_says() {
        assert_eq!(ready(b'T'), [b'Z', 0, 0, 0, 5, b'T']);
        assert_eq!(process(&[0, 0, 1, 2, 9, 9, 9, 9]), Some(258));
        let error = error("FATAL", "57P01");
        let message = first(&error).unwrap();
        assert_eq!(message.length, error.len());
        assert!(message.body.starts_with(b"SFATAL\0VFATAL\0C57P01\0M"));
        assert_eq!(sqlstate(message.body), "57P01");
    }
}
