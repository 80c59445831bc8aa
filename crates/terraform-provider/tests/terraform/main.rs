//! The program as somebody starts it who found it in a folder.
#![forbid(unsafe_code)]

use std::process::Command;

#[test]
fn a_start_by_hand_says_what_it_is_and_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_terraform-provider-biplane"))
        .env_remove("TF_PLUGIN_MAGIC_COOKIE")
        .output()
        .expect("it runs");
    let talk = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{talk}");
    assert!(talk.contains("OpenTofu and Terraform") && talk.contains("hint: "), "{talk}");
}
