//! Files pass every rule, whether a secret is replaced as a whole or file by file.

mod swapped {
    use crate::secrets::harness::Secrets;

    async fn harness() -> Secrets {
        Secrets::new()
    }

    biplane_source::secret_conformance_tests!(harness);
}

mod in_place {
    use std::fs;
    use std::sync::Arc;

    use async_trait::async_trait;
    use biplane_source::conformance::SecretHarness;
    use biplane_source::{SecretRequest, SecretSource};

    use crate::secrets::harness::Secrets;

    /// As somebody does who edits files.
    struct InPlace(Secrets);

    async fn harness() -> InPlace {
        InPlace(Secrets::new())
    }

    #[async_trait]
    impl SecretHarness for InPlace {
        fn source(&self) -> Arc<dyn SecretSource> {
            self.0.source()
        }

        fn request(&self) -> SecretRequest {
            self.0.request()
        }

        fn foreign_request(&self) -> Option<SecretRequest> {
            self.0.foreign_request()
        }

        async fn set(&self, fields: &[(&str, &str)]) {
            let root = if self.0.root.exists() { self.0.root.clone() } else { self.0.aside.join("away") };
            let web = root.join("web");
            fs::create_dir_all(&web).expect("create");
            for (name, value) in fields {
                fs::write(web.join(name), value).expect("write");
            }
            for entry in web.read_dir().expect("it is there") {
                let name = entry.expect("an entry").file_name();
                if !fields.iter().any(|(field, _)| name == *field) {
                    fs::remove_file(web.join(name)).expect("remove");
                }
            }
        }

        async fn delete(&self) {
            for entry in self.0.at("web").read_dir().expect("it is there") {
                fs::remove_file(entry.expect("an entry").path()).expect("remove");
            }
        }

        async fn take_away(&self) {
            self.0.take_away().await;
        }

        async fn give_back(&self) {
            self.0.give_back().await;
        }
    }

    biplane_source::secret_conformance_tests!(harness);
}
