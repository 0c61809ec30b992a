//! What is published on the channel: `FIRST;COUNT;DRAWN;`, and behind it the records, each as `LENGTH:BYTES`, or none, if they
//! are to be fetched. `FIRST` is the offset of the first one, 0 for records that are not kept.

/// What a message on the channel says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Live<'a> {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) drawn: &'a [u8],
    records: &'a [u8],
}

impl<'a> Live<'a> {
    /// Takes a message apart; none, if it is something else.
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let mut fields = message.splitn(4, |byte| *byte == b';');
        let mut next = || fields.next();
        Some(Self {
            first: number(next()?)?,
            count: number(next()?)?,
            drawn: next()?,
            records: next()?,
        })
    }

    /// The offset of the last record; none, if they are not kept.
    pub(super) fn last(&self) -> Option<u64> {
        let last = self.first.saturating_add(self.count).saturating_sub(1);
        (self.first > 0).then_some(last)
    }

    /// The records; none, if they are to be fetched, or are not what they should be.
    pub(super) fn records(&self) -> Option<Vec<&'a [u8]>> {
        let mut found = Vec::new();
        let mut rest = self.records;
        while !rest.is_empty() {
            let colon = rest.iter().position(|byte| *byte == b':')?;
            let length = usize::try_from(number(&rest[..colon])?).ok()?;
            let (record, behind) = rest[colon + 1..].split_at_checked(length)?;
            found.push(record);
            rest = behind;
        }
        (found.len() as u64 == self.count && !found.is_empty()).then_some(found)
    }
}

/// Records that are not kept, as a message.
pub(super) fn unkept<'a>(records: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut message = format!("0;{};;", records.len()).into_bytes();
    for record in records {
        message.extend_from_slice(record.len().to_string().as_bytes());
        message.push(b':');
        message.extend_from_slice(record);
    }
    message
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let records: [&[u8]; 3] = [b"", b";:0;", &[0, 255]];
        let message = unkept(records.into_iter());
        let live = Live::parse(&message).expect("it is one");
        assert_eq!((live.first, live.count, live.drawn), (0, 3, &b""[..]));
        assert_eq!(live.records(), Some(records.to_vec()));
    }

    #[test]
    fn what_is_something_else_is_nothing() {
        for message in [
            "",
            "1",
            "1;1;x",
            "x;1;;",
            ";1;;",
            "1;-1;;",
            "1;18446744073709551616;;",
        ] {
            assert_eq!(Live::parse(message.as_bytes()), None, "{message}");
        }
        for message in [
            "1;1;x;",
            "1;1;x;3:ab",
            "1;2;x;1:a",
            "1;1;x;:a",
            "1;1;x;1a",
            "1;1;x;99999999999999999999:a",
        ] {
            let live = Live::parse(message.as_bytes()).expect("its head is right");
            assert_eq!(live.records(), None, "{message}");
        }
    }
}
