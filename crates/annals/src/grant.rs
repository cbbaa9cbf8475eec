//! What a key or a user may do and see: the flags that both have.

use clap::Args;

/// What it is granted.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Granted {
    /// What it may do, such as events:read; repeated: each of them
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub(crate) scopes: Vec<String>,
    /// A realm that it is limited to; repeated: each of them
    #[arg(long = "realm", value_name = "REALM")]
    realms: Vec<String>,
    /// An organisation that it is limited to; repeated: each of them
    #[arg(long = "org", value_name = "ORG")]
    orgs: Vec<String>,
    /// Whom its events name [default: the user, or the key]
    #[arg(long, value_name = "ID")]
    pub(crate) user_id: Option<String>,
    /// When it ends, for example 2030-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
}

impl Granted {
    /// The realms, if it is limited to any.
    pub(crate) fn realms(&self) -> Option<Vec<String>> {
        given(&self.realms)
    }

    /// The organisations, if it is limited to any.
    pub(crate) fn orgs(&self) -> Option<Vec<String>> {
        given(&self.orgs)
    }
}

fn given(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

#[cfg(test)]
impl Granted {
    /// One scope, and perhaps a realm.
    pub(crate) fn of(scope: &str, realm: Option<&str>) -> Self {
        Self {
            scopes: vec![scope.to_owned()],
            realms: realm.into_iter().map(str::to_owned).collect(),
            ..Self::default()
        }
    }
}
