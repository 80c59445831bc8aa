//! DER, as far as finding the parts of a message needs it.

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

impl<'a> Element<'a> {
    /// What is inside it, if it has this tag.
    pub(super) fn inside(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

/// What is inside the one element of this tag that takes up all of `der`.
pub(super) fn only(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (element, rest) = element(der)?;
    rest.is_empty().then_some(element)?.inside(tag)
}

/// The elements that `der` is made of; `None`: it is not made of elements.
pub(super) fn elements(mut der: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut all = Vec::new();
    while !der.is_empty() {
        let (element, rest) = element(der)?;
        all.push(element);
        der = rest;
    }
    Some(all)
}

/// The first element, and what follows it.
fn element(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => long_length(rest, usize::from(first & 0x7f))?,
        // Without a length of its own, or longer than any certificate or response.
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, content }, rest))
}

/// A length of several bytes: the shortest form that can tell it.
fn long_length(rest: &[u8], bytes: usize) -> Option<(usize, &[u8])> {
    let (digits, content) = rest.split_at_checked(bytes)?;
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    (length > 0x7f && digits[0] != 0).then_some((length, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(header: &[u8], content: usize) -> Vec<u8> {
        [header, &vec![0; content]].concat()
    }

    #[test]
    fn length_of_an_element_is_written_in_its_shortest_form() {
        for (header, content) in [
            (&[0x30, 0x03][..], 3),
            (&[0x30, 0x7f], 127),
            (&[0x30, 0x81, 0x80], 128),
            (&[0x30, 0x82, 0x01, 0x00], 256),
        ] {
            let der = sequence(header, content);
            assert_eq!(only(&der, 0x30).map(<[u8]>::len), Some(content), "{header:x?}");
        }
        for (header, content) in [
            (&[0x30, 0x03][..], 4),
            (&[0x30, 0x04], 3),
            (&[0x31, 0x03], 3),
            (&[0x30, 0x80], 3),
            (&[0x30, 0x81, 0x03], 3),
            (&[0x30, 0x82, 0x00, 0x80], 128),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], 0),
            (&[0x30], 0),
            (&[], 0),
        ] {
            assert_eq!(only(&sequence(header, content), 0x30), None, "{header:x?}");
        }
    }

    #[test]
    fn what_is_left_over_is_no_element() {
        assert_eq!(elements(&[0x05, 0x00, 0x02, 0x01, 0x07]).map(|all| all.len()), Some(2));
        assert_eq!(elements(&[0x05, 0x00, 0x02]), None);
    }
}
