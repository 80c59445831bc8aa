//! One group of an IPv6 address: sixteen bits as one to four hexadecimal digits.

use std::fmt;
use std::net::Ipv6Addr;

/// What a group may be: its first `bits` are those of `value`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    value: u16,
    bits: u8,
}

/// The groups of the addresses whose first `bits` are those of `network`.
pub(super) fn all(network: Ipv6Addr, bits: u8) -> [Group; 8] {
    let mut left = bits;
    network.segments().map(|value| {
        let fixed = left.min(16);
        left -= fixed;
        Group::new(value, fixed)
    })
}

impl Group {
    pub(super) const fn new(value: u16, bits: u8) -> Self {
        Self { value, bits }
    }

    pub(super) fn may_be_zero(self) -> bool {
        self.value & !self.free() == 0
    }

    /// The bits that may be anything.
    fn free(self) -> u16 {
        u16::try_from(0xffff_u32 >> self.bits).expect("a mask of sixteen bits")
    }

    /// The least and the largest value of the digit with `place` digits behind it.
    fn digit(self, place: u32) -> (u16, u16) {
        let of = |value: u16| (value >> (place * 4)) & 15;
        (of(self.value & !self.free()), of(self.value | self.free()))
    }
}

/// Its digits as a regex. Leading zeros may be missing.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == 0 {
            return f.write_str("[0-9a-f]{1,4}");
        }
        if self.bits == 16 && self.value == 0 {
            return f.write_str("0{1,4}");
        }
        let mut text = String::new();
        let mut zeros = true;
        for place in (0..4).rev() {
            if zeros && !text.is_empty() {
                text = format!("(?:{text})?");
            }
            let (least, largest) = self.digit(place);
            text.push_str(&class(least, largest));
            zeros &= least == 0;
        }
        f.write_str(&text)
    }
}

fn class(least: u16, largest: u16) -> String {
    match (least, largest) {
        _ if least == largest => format!("{least:x}"),
        (..=9, 10..) => format!("[{least:x}-9a-{largest:x}]"),
        _ => format!("[{least:x}-{largest:x}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_values_of_a_group_match_in_every_writing() {
        for (value, bits) in [(0, 0), (0, 16), (0x0db8, 16), (0xfe80, 10), (0, 3), (0x0a00, 8), (7, 15)] {
            let group = Group::new(value, bits);
            let regex = regex::Regex::new(&format!("^(?:{group})$")).expect("a regex");
            for number in 0..=u16::MAX {
                let inside = bits == 0 || (number ^ value) >> (16 - bits) == 0;
                let short = format!("{number:x}");
                for text in [format!("{number:04x}"), short.clone(), format!("0{short}")] {
                    assert_eq!(regex.is_match(&text), inside && text.len() <= 4, "{group}: {text}");
                }
            }
        }
    }
}
