//! Names as HCL has them.

/// `virtualHost` as `virtual_host`, `useHttp2` as `use_http2`, `VirtualService` as `virtual_service`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (position, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_hcl_writes_them() {
        for (field, name) in [
            ("virtualHost", "virtual_host"),
            ("useHttp2", "use_http2"),
            ("awsEc2", "aws_ec2"),
            ("VirtualHostOption", "virtual_host_option"),
            ("ssl", "ssl"),
        ] {
            assert_eq!(snake_case(field), name);
        }
    }
}
