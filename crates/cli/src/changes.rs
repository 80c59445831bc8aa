//! What became of a request that changes resources, in the same words for every verb that makes one.
//!
//! What was done goes to stdout, a line an object; findings and sums go to stderr.

use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Change, ChangeResult, Expect, Name, Operation, Problem, ProblemKind,
    ValidationFinding,
};
use biplane_admin_api::status::{ObjectReport, Severity};
use biplane_core::key::ObjectKey;
use clap::{Args, ValueEnum};

use crate::connect::Connection;
use crate::exit::{Code, Failure, Outcome};
use crate::findings::{count, lines};
use crate::output;

/// Flags of every verb that changes resources.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ChangeFlags {
    /// Change nothing; say what would be done and what is wrong with it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write although the configuration gets worse by it
    #[arg(long)]
    pub(crate) force: bool,
    /// Why, in one line, for the history
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line an object
    #[default]
    Table,
    /// What the API answers
    Json,
    /// KIND/NAMESPACE/NAME of what is not unchanged
    Name,
}

impl ChangeFlags {
    /// A request with these flags.
    pub(crate) fn request(&self, connection: &Connection, changes: Vec<Change>) -> ApplyRequest {
        ApplyRequest {
            changes,
            prune: None,
            dry_run: self.dry_run,
            force: self.force,
            author: connection.author(),
            message: self.message.clone(),
        }
    }
}

/// The change that deletes an object.
pub(crate) fn deletion(key: &ObjectKey) -> Change {
    Change { operation: Operation::Delete { key: Name::from(key) }, expect: Expect::Anything }
}

/// Carries a request out and prints what became of it.
pub(crate) async fn carry_out(connection: &Connection, request: &ApplyRequest, format: Format) -> Outcome {
    match connection.resources.apply(request).await {
        Ok(result) => report(&result, format),
        Err(problem) => Err(refused(connection, problem)),
    }
}

/// Prints what was done.
pub(crate) fn report(result: &ApplyResult, format: Format) -> Outcome {
    match format {
        Format::Json => output::print(&output::json(result)?)?,
        Format::Table => {
            output::print_each(result.changes.iter().map(|change| Ok(line(change, result.dry_run))))?;
        }
        Format::Name => {
            let changed = result.changes.iter().filter(|change| change.action != Action::Unchanged);
            output::print_each(changed.map(|change| Ok(name(&change.key))))?;
        }
    }
    say_findings(&result.findings);
    output::say(&summary(result));
    Ok(Code::Success)
}

/// Why a request was not carried out, behind everything that was found.
pub(crate) fn refused(connection: &Connection, problem: Problem) -> Failure {
    say_findings(&problem.findings);
    let kind = problem.kind;
    let findings = problem.findings.iter().filter(|finding| is_new_error(finding)).count();
    let failure = connection.failure(problem);
    match kind {
        // The findings were told one by one; the message would tell the first once more.
        ProblemKind::Invalid if findings > 0 => Failure {
            message: format!("nothing was changed: {} would come in by it", count(findings, "error")),
            ..failure
        }
        .hint("correct what is named above, or write all the same with --force"),
        // Documents that name no object.
        ProblemKind::BadRequest if findings > 0 => Failure {
            code: Code::Findings,
            message: format!("nothing was changed: {} cannot be read", count(findings, "document")),
            hint: None,
        },
        // What was typed is right as far as it goes; what the documents say together is not.
        ProblemKind::BadRequest => Failure { code: Code::Findings, ..failure },
        _ => failure,
    }
}

fn is_new_error(finding: &ValidationFinding) -> bool {
    finding.new && finding.report.severity == Severity::Error
}

/// Findings that come in are told; of those that were there before only the number.
pub(crate) fn say_findings(findings: &[ValidationFinding]) {
    let text = told(findings);
    if !text.is_empty() {
        output::say(&text);
    }
}

fn told(findings: &[ValidationFinding]) -> String {
    let new: Vec<&ObjectReport> =
        findings.iter().filter(|finding| finding.new).map(|finding| &finding.report).collect();
    let text = lines(new.iter().copied());
    match findings.len() - new.len() {
        0 => text,
        old => {
            let rest = format!("{} that stood before: see `biplane check`", count(old, "finding"));
            if text.is_empty() { rest } else { format!("{text}\n{rest}") }
        }
    }
}

fn line(change: &ChangeResult, dry_run: bool) -> String {
    let Name { kind, namespace, name } = &change.key;
    let dry = if dry_run { " (dry run)" } else { "" };
    output::one_line(&format!("{} {kind} {namespace}/{name}{dry}", word(change.action)))
}

fn name(key: &Name) -> String {
    format!("{}/{}/{}", key.kind, key.namespace, key.name)
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Changed => "changed",
        Action::Unchanged => "unchanged",
        Action::Deleted => "deleted",
        Action::Pruned => "pruned",
    }
}

/// `2 created, 1 unchanged; revision 17`
fn summary(result: &ApplyResult) -> String {
    let actions = [Action::Created, Action::Changed, Action::Unchanged, Action::Deleted, Action::Pruned].map(
        |action| {
            let number = result.changes.iter().filter(|change| change.action == action).count();
            (number, word(action))
        },
    );
    let parts: Vec<_> = actions
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let parts = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
    let end = if result.dry_run { "nothing was written: dry run at" } else { "the store is at" };
    format!("{parts}; {end} revision {}", result.revision)
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    fn finding(new: bool, message: &str) -> ValidationFinding {
        let report = ObjectReport { message: message.into(), ..ObjectReport::default() };
        ValidationFinding { new, report }
    }

    #[test]
    fn a_result_is_summed_up() {
        let key = Name { kind: Kind::Upstream, namespace: "default".into(), name: "a".into() };
        let change = |action| ChangeResult { key: key.clone(), action, before: None, diff: String::new() };
        let changes = vec![change(Action::Created), change(Action::Unchanged), change(Action::Created)];
        let result = ApplyResult { revision: 7, changes, ..ApplyResult::default() };
        assert_eq!(summary(&result), "2 created, 1 unchanged; the store is at revision 7");
        assert_eq!(line(&result.changes[0], true), "created Upstream default/a (dry run)");
        let nothing = ApplyResult { dry_run: true, ..ApplyResult::default() };
        assert_eq!(summary(&nothing), "nothing to do; nothing was written: dry run at revision 0");
    }

    #[test]
    fn findings_that_stood_before_are_counted_and_new_ones_told() {
        assert_eq!(told(&[]), "");
        assert_eq!(told(&[finding(true, "bad")]), "error: bad");
        let both = told(&[finding(true, "bad"), finding(false, "old")]);
        assert_eq!(both, "error: bad\n1 finding that stood before: see `biplane check`");
    }
}
