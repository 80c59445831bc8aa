//! The jobs and packs that are shipped. What the jobs do is shown where their page is.

use std::fs;
use std::path::Path;

use biplane_testkit::{Nomad, TempDir, nomad};
use serde_json::json;

/// nomad-pack's templates are the jobs, with the pack's variables in the place of their defaults.
#[test]
fn packs_are_made_of_the_jobs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("nomad");
    for name in ["biplane", "envoy"] {
        let job = fs::read_to_string(root.join(format!("jobs/{name}.nomad.hcl"))).expect("a job");
        let (template, variables) = packed(&job);
        let pack = root.join("pack").join(name);
        for (file, text) in
            [(format!("templates/{name}.nomad.tpl"), template), ("variables.hcl".into(), variables)]
        {
            let path = pack.join(file);
            if std::env::var_os("UPDATE_GOLDENS").is_some() {
                fs::write(&path, &text).expect("the pack is there");
            }
            let found = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                found == text,
                "{} is not made of the job: UPDATE_GOLDENS=1 makes it anew",
                path.display()
            );
        }
    }
}

/// Every driver takes them, an artifact and replicas too.
#[tokio::test]
async fn jobs_are_valid_for_every_driver() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("nomad/jobs");
    let directory = TempDir::new("nomad-jobs");
    let nomad = Nomad::start(&directory).await;
    for name in ["biplane", "envoy"] {
        let job = root.join(format!("{name}.nomad.hcl"));
        for driver in ["exec", "raw_exec", "docker"] {
            let more = if name == "biplane" { &["-var", "replicas=3"][..] } else { &[] };
            let output = std::process::Command::new(nomad::binary())
                .args(["job", "validate", "-var", &format!("driver={driver}")])
                .args([
                    "-var",
                    "artifact=https://example.com/a.tar.gz",
                    "-var",
                    "checksum=md5:0123456789abcdef0123456789abcdef",
                ])
                .args(more)
                .arg(&job)
                .env("NOMAD_ADDR", format!("http://{}", nomad.address()))
                .output()
                .expect("Nomad's command runs");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && !said.contains("Warning"), "{name}, {driver}: {output:?}");
        }
    }
}

/// A job as a template, and its variables.
fn packed(job: &str) -> (String, String) {
    let (mut template, mut variables) =
        (String::new(), String::from("# Made of the job, as the template is.\n"));
    let mut variable = None;
    for line in job.lines() {
        if let Some(name) = line.strip_prefix("variable ").and_then(|rest| rest.split('"').nth(1)) {
            variable = Some(name);
            variables.push('\n');
        }
        let Some(name) = variable else {
            template += &format!("{line}\n");
            continue;
        };
        variables += &format!("{line}\n");
        match line.split_once("= ") {
            Some((key, _)) if key.trim() == "default" => {
                template += &format!("{key}= [[ var {} . | toJson ]]\n", json!(name));
            }
            _ => template += &format!("{line}\n"),
        }
        if line == "}" {
            variable = None;
        }
    }
    (template, variables)
}
