//! `biplane edit KIND NAME`: the text in an editor, written back when it is saved.
//!
//! ```text
//!  get ─▶ file ─▶ editor ─▶ put at the revision that was read ─▶ done
//!                  ▲            │ refused: findings on top of the file
//!                  └────────────┘
//! ```
//!
//! Invariant: what a person has typed is never lost. Whatever goes wrong, the file stays and is named.

mod editor;
mod file;

use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Change, Expect, Name, Operation, Problem, ProblemKind, Resource,
};
use clap::Args;

use crate::changes::{self, ChangeFlags, Format};
use crate::config::GlobalFlags;
use crate::connect::{Connection, Target};
use crate::exit::{Code, Failure, Outcome};
use crate::objects::OneObject;
use crate::output;
use crate::verbs::get;
use editor::Editor;
use file::EditFile;

/// The command line.
#[derive(Debug, Args)]
#[command(
    after_help = "The editor is $VISUAL, else $EDITOR, else vi. A text that is refused is opened again with the \
                        findings on top; leaving it as it is then ends the edit. In a secret, values show as \
                        [redacted]: leave them all so to keep them, or use `apply` with new ones."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    object: OneObject,
    /// Write although the configuration gets worse by it
    #[arg(long)]
    force: bool,
    /// Why, in one line, for the history
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    message: String,
    #[command(flatten)]
    target: Target,
}

/// Reads, lets a person edit, writes.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let connection = arguments.target.connect(global)?;
    let resource = arguments.object.existing(&connection).await?;
    let flags = ChangeFlags { dry_run: false, force: arguments.force, message: arguments.message.clone() };
    let edit = Edit { connection: &connection, resource: &resource, flags };
    edit.run(Editor::find()).await
}

struct Edit<'a> {
    connection: &'a Connection,
    resource: &'a Resource,
    flags: ChangeFlags,
}

impl Edit<'_> {
    async fn run(&self, editor: Editor) -> Outcome {
        let before = get::document(self.resource)?;
        let mut file = EditFile::create(self.resource, &before)?;
        let mut last = before;
        loop {
            let text = edited(&editor, &mut file)?;
            if text == last {
                return self.unchanged(file);
            }
            match self.connection.resources.apply(&self.request(&text)).await {
                Ok(result) => return done(&result, file),
                Err(problem) if may_be_corrected(&problem) => {
                    file.refuse(&text, &problem)?;
                    last = text;
                }
                Err(problem) => return Err(self.kept(problem, file)),
            }
        }
    }

    /// Of a text that was refused once, leaving it alone is giving up.
    fn unchanged(&self, mut file: EditFile) -> Outcome {
        if file.was_refused() {
            let failure = Failure::new(Code::Findings, format!("{} was not changed", self.resource.key()));
            return Err(file.keep().mentioned_in(failure));
        }
        output::say("nothing was edited, nothing was written");
        Ok(Code::Success)
    }

    fn request(&self, text: &str) -> ApplyRequest {
        let key = self.resource.key();
        let operation = Operation::Put {
            text: text.to_owned(),
            origin: "the edited text".to_owned(),
            line: 1,
            key: Some(Name::from(&key)),
        };
        // Somebody else's change in the meantime must not be undone by this one.
        let expect = Expect::Revision(self.resource.revision);
        self.flags.request(self.connection, vec![Change { operation, expect }])
    }

    fn kept(&self, problem: Problem, mut file: EditFile) -> Failure {
        let conflict = problem.kind == ProblemKind::Conflict;
        let failure = changes::refused(self.connection, problem);
        let failure = if conflict {
            let key = self.resource.key();
            failure.hint(format!("`biplane diff -f FILE` compares; then edit {key} again"))
        } else {
            failure
        };
        file.keep().mentioned_in(failure)
    }
}

/// What the person saved. An editor that fails leaves the file to be found.
fn edited(editor: &Editor, file: &mut EditFile) -> Result<String, Failure> {
    let edited = editor.open(file.path()).and_then(|()| file.text());
    edited.map_err(|failure| file.keep().mentioned_in(failure))
}

/// Whether another text may do.
fn may_be_corrected(problem: &Problem) -> bool {
    matches!(problem.kind, ProblemKind::Invalid | ProblemKind::BadRequest)
}

fn done(result: &ApplyResult, file: EditFile) -> Outcome {
    drop(file);
    let same = result.changes.iter().all(|change| change.action == Action::Unchanged);
    if same {
        output::say("the store holds this text already");
    }
    changes::report(result, Format::Table)
}
